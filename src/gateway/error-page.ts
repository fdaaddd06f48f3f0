// The gateway's own answers: short plain text with the request id, never a stack. Who is to see more is not decided here.
import { Buffer } from 'node:buffer';
import { STATUS_CODES } from 'node:http';
import type { HeaderList } from './contract.ts';
import type { RequestRecord } from './events.ts';

export interface ErrorPage {
  readonly status: string;
  readonly headers: HeaderList;
  readonly body: Buffer;
}

/** Makes the page for a request whose application failed; null: the plain one will do. */
export type Explain = (request: RequestRecord, code: number, error: unknown) => ErrorPage | null;

/** The page for `code`; `retryAfter` in seconds, where coming back makes sense. */
export function errorPage(code: number, requestId: string, retryAfter?: number): ErrorPage {
  const status = `${code} ${STATUS_CODES[code] ?? 'Error'}`;
  const headers: HeaderList = [
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Cache-Control', 'no-store'],
  ];
  if (retryAfter !== undefined) headers.push(['Retry-After', String(retryAfter)]);
  return { status, headers, body: Buffer.from(`${status}\n\nRequest id: ${requestId}\n`, 'latin1') };
}
