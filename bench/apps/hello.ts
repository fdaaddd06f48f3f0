// The gateway app that the benchmarks of the request path call: as little as an app can do.
import type { Application } from '../../src/gateway/contract.ts';

const BODY = Buffer.from('Hello, World!\n');
const LENGTH = String(BODY.length);

export const hello: Application = (_environ, startResponse) => {
  startResponse('200 OK', [
    ['Content-Type', 'text/plain'],
    ['Content-Length', LENGTH],
  ]);
  return [BODY];
};
