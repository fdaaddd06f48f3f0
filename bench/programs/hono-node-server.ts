// What a Hono team would run behind proxy_pass: @hono/node-server on a Unix socket.
// Arguments: the socket, the app's name in bench/apps/fetch-apps.ts.
import { createAdaptorServer } from '@hono/node-server';

const [socket = '', name = ''] = process.argv.slice(2);
// It puts a fast Response of its own in place, which an app has to find when it is loaded: viaduct's does as well.
const server = createAdaptorServer({ fetch: (request) => app(request) });
const apps = (await import('../apps/fetch-apps.js')) as Readonly<Record<string, unknown>>;
const app = handlerOf(apps[name]);

function handlerOf(found: unknown): (request: Request) => Response {
  if (typeof found === 'function') return found as (request: Request) => Response;
  const { fetch } = found as { fetch: (request: Request) => Response };
  return (request) => fetch(request);
}

// Behind nginx: longer than nginx keeps an idle connection.
if ('keepAliveTimeout' in server) server.keepAliveTimeout = 75_000;
server.listen(socket);

// An ordinary end, so that node writes its profile.
process.once('SIGTERM', () => process.exit());
