// A whole request inside the process: bytes, decoder, environ, gateway, app, encoder, one write. No socket, no kernel:
// what is left of `npm run bench`'s CPU per request beyond this is node:net and the kernel.
// Build, then: node dist/bench/micro/request.js
import { bench, do_not_optimize, run } from 'mitata';
import { hello } from '../apps/hello.ts';
import { FASTCGI_REQUEST } from './stock-request.ts';
import { fastcgiConnection } from './whole-request.ts';

const { connection, written } = fastcgiConnection(hello);
connection.receive(FASTCGI_REQUEST);
if (written() === 0) throw new Error('Cannot measure: the request was not answered');

bench('FastCGI request: bytes to bytes', () => {
  connection.receive(FASTCGI_REQUEST);
  do_not_optimize(written());
});

await run();
