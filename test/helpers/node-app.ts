// Calls the gateway application of an app of node:http through the real gateway, and gives what came out.
import type { Application } from '../../src/gateway/contract.ts';
import { request, type CallOptions, type HttpResponse } from './http-client.ts';
import { startWorker, type TestMount } from './worker.ts';

/** One request to a worker of its own, over HTTP. */
export async function runApp(
  app: Application,
  options: CallOptions = {},
  mount: Omit<TestMount, 'app'> = {},
): Promise<HttpResponse> {
  const worker = await startWorker({ listeners: [{ protocol: 'http' }], mounts: [{ ...mount, app }] });
  try {
    const address = worker.address();
    if (address.kind !== 'unix') throw new Error('The worker listens on a Unix socket');
    return await request({ socketPath: address.path, ...options });
  } finally {
    await worker.stop();
  }
}
