// Requests that ask for another protocol, a WebSocket say: they go to the 'upgrade' listeners of the app's http.Server, as
// node:http sends them there.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type {
  Application,
  Body,
  Environ,
  HeaderList,
  StartResponse,
  WriteCallable,
} from '../../gateway/contract.ts';
import { whenCancelled } from '../../gateway/environ.ts';
import { warn } from '../../gateway/error-stream.ts';
import { HOP_BY_HOP } from '../../gateway/headers.ts';
import { asksForUpgrade } from '../../gateway/upgrade.ts';
import { PLAIN_KINDS } from './kinds.ts';
import type { MessageKinds, NodeApp } from './node-app.ts';
import { makeRequest } from './request.ts';
import { UpgradeSocket } from './upgrade-socket.ts';

/** `application`, but for upgrades, if the app has a server that may want them. */
export function withUpgrades(application: Application, { server, kinds }: NodeApp): Application {
  if (server === null) return application;
  return (environ, startResponse) =>
    environ['HTTP_UPGRADE'] !== undefined && isFor(server, environ)
      ? handleUpgrade(environ, startResponse, server, kinds)
      : application(environ, startResponse);
}

/** curl asks for h2c with any request; nobody can give it that, and it does not mind. */
const isFor = (server: Server, environ: Environ): boolean =>
  server.listenerCount('upgrade') > 0 && environ['HTTP_UPGRADE'] !== 'h2c' && asksForUpgrade(environ);

/** Resolves once the listeners have answered; a tunnel goes on after that. */
export function handleUpgrade(
  environ: Environ,
  startResponse: StartResponse,
  server: Server,
  kinds: MessageKinds = PLAIN_KINDS,
): Body | Promise<Body> {
  const upgrade = environ['viaduct.upgrade'];
  if (upgrade === undefined) return refuse(environ, startResponse);
  return new Promise((resolve, reject) => {
    let give: ReturnType<typeof passOn> | null = null;
    const socket = new UpgradeSocket(environ, {
      upgraded(headers) {
        const tunnel = upgrade(headers);
        resolve([]);
        return tunnel;
      },
      answered(status, headers) {
        give = passOn(startResponse(status, withoutHopByHop(headers)));
      },
      wrote(chunk, done) {
        void give?.(chunk, done);
      },
      ended(error) {
        if (error === null) resolve([]);
        else reject(error);
      },
    });
    whenCancelled(environ, () => socket.destroy());
    // As node:http's: it throws nothing away, and neither does it end the process for a client that left.
    socket.on('error', reject);
    const req = makeRequest(environ, socket as unknown as Socket, (own) => kinds.newRequest(own));
    req.complete = true;
    req.push(null);
    server.emit('upgrade', req, socket, Buffer.alloc(0));
  });
}

/** Bytes of an answer that may wait: up to here the listener goes on, as it would with the buffer of a real connection. */
const MAX_WAITING = 64 * 1024;

/** Gives an answer's body on. A client that is gone ends the socket, which says all there is to say. */
function passOn(write: WriteCallable): (chunk: Uint8Array, done: (error?: Error) => void) => Promise<void> {
  let waiting = 0;
  return async (chunk, done) => {
    waiting += chunk.length;
    const isFull = waiting > MAX_WAITING;
    if (!isFull) done();
    try {
      await write(chunk);
      waiting -= chunk.length;
      if (isFull) done();
    } catch (error) {
      if (isFull) done(error as Error);
    }
  };
}

/** What belongs to the connection is nginx's business; what else ws says of it has no meaning there. */
const withoutHopByHop = (headers: HeaderList): HeaderList =>
  headers.filter(([name]) => !HOP_BY_HOP.has(name.toLowerCase()));

function refuse(environ: Environ, startResponse: StartResponse): Body {
  const why =
    'nginx opens no tunnel over FastCGI: use uwsgi_pass, scgi_pass or proxy_pass for the location of upgrades such as WebSockets';
  warn(environ, `Refused upgrade with 501: ${why} (asked for ${JSON.stringify(environ['HTTP_UPGRADE'])})`);
  const body = Buffer.from(`501 Not Implemented\n\nThis way carries no upgrade: ${why}.\n`);
  startResponse('501 Not Implemented', [['Content-Type', 'text/plain; charset=utf-8']]);
  return [body];
}
