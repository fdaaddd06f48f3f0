// The gateway app that answers with 16 KiB of JSON: the text is there, its bytes are made for each request.
import type { Application } from '../../src/gateway/contract.ts';
import { JSON_TEXT } from '../lib/json-text.ts';

export const json: Application = (_environ, startResponse) => {
  const body = Buffer.from(JSON_TEXT);
  startResponse('200 OK', [
    ['Content-Type', 'application/json'],
    ['Content-Length', String(body.length)],
  ]);
  return [body];
};
