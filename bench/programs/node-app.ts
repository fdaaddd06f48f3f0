// The apps of ../apps/node-apps.ts as they run without viaduct, on a Unix socket. Arguments: the socket, the app's name.
import { createServer } from 'node:http';
import * as apps from '../apps/node-apps.ts';

const [socket = '', name = ''] = process.argv.slice(2);
const keepAliveTimeout = 75_000;

if (name === 'fastify') {
  const app = apps.fastify();
  app.server.keepAliveTimeout = keepAliveTimeout;
  await app.listen({ path: socket });
} else {
  createServer({ keepAliveTimeout }, name === 'express' ? apps.express : apps.plain).listen(socket);
}

// An ordinary end, so that node writes its profile.
process.once('SIGTERM', () => process.exit());
