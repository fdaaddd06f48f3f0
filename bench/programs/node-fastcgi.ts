// The npm package node-fastcgi with the same hello. Arguments: the package's folder, the Unix socket.
import type { RequestListener } from 'node:http';
import { createRequire } from 'node:module';

interface NodeFastcgi {
  createServer(listener: RequestListener): { listen(path: string): void };
}

const BODY = 'Hello, World!\n';
const [folder = '', socket = ''] = process.argv.slice(2);
const nodeFastcgi = createRequire(import.meta.url)(folder) as NodeFastcgi;

nodeFastcgi
  .createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': BODY.length });
    response.end(BODY);
  })
  .listen(socket);

process.once('SIGTERM', () => process.exit());
