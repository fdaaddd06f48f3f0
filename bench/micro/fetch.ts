// What a fetch app costs beyond the app: the environ of a stock request to status, headers and bytes, with light requests and
// responses, and with the platform's own. Build, then: node dist/bench/micro/fetch.js
import { bench, do_not_optimize, run } from 'mitata';
import { adaptFetch } from '../../src/apps/fetch/adapt.ts';
import { FastResponse } from '../../src/apps/fetch/globals.ts';
import { NativeRequest, NativeResponse } from '../../src/apps/fetch/natives.ts';
import type { Application, Environ } from '../../src/gateway/contract.ts';
import { makeEnviron } from '../../test/helpers/mini-gateway.ts';
import { dressed, hono } from '../apps/fetch-apps.ts';

const PAGE = 'Hello, World!\n';
const environ: Environ = makeEnviron({
  REQUEST_URI: '/hello/world?name=you',
  HTTP_USER_AGENT: 'bench',
  HTTP_ACCEPT: '*/*',
});
const startResponse = () => async (): Promise<void> => undefined;

const APPS: Readonly<Record<string, unknown>> = {
  'bare function, all light': () => new FastResponse(PAGE),
  'bare function, with a header and a status': () =>
    new FastResponse(PAGE, { status: 201, headers: { 'Cache-Control': 'no-store' } }),
  "bare function, the platform's response": () => new NativeResponse(PAGE),
  "bare function, the platform's request and response": (request: Request) => {
    do_not_optimize(new NativeRequest(request.url, { method: request.method, headers: request.headers }));
    return new NativeResponse(PAGE);
  },
  Hono: hono,
  'Hono with a middleware': dressed,
};

async function measure(app: Application): Promise<void> {
  do_not_optimize(await app(environ, startResponse));
}

// Hono's own `new Response` is looked up in the globals when it is called.
globalThis.Response = FastResponse;
for (const [name, found] of Object.entries(APPS)) {
  const app = adaptFetch(found, name);
  await measure(app);
  bench(name, () => measure(app));
}

await run();
