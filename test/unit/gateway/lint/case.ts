// The shape of a row in the tables of lint cases, and the pieces the tables share.
import type { Application, Body, HeaderList, Middleware } from '../../../../src/gateway/contract.ts';
import type { LintOptions } from '../../../../src/gateway/lint.ts';
import { bytes } from '../../../helpers/mini-gateway.ts';

/** lint() whose warnings the case's runner sees. */
export type Wrap = (app: Application) => Application;

export interface LintCase {
  rule: number;
  what: string;
  outcome: 'throws' | 'warns';
  run: (wrap: Wrap) => unknown;
}

/** A middleware as the tests write them. */
export type Layer = Middleware<LintOptions>;

export const PLAIN: HeaderList = [['Content-Type', 'text/plain']];

/** Answers 200 with the given body and headers. */
export function answer(body: Body, headers: HeaderList = PLAIN, status = '200 OK'): Application {
  return (_environ, startResponse) => {
    startResponse(status, headers);
    return body;
  };
}

export const hello: Application = (environ, startResponse) =>
  answer([bytes('hello')])(environ, startResponse);
