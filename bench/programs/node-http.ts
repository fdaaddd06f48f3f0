// What a Node team would run behind proxy_pass: node:http on a Unix socket. The path is the argument.
import { createServer } from 'node:http';

const BODY = 'Hello, World!\n';

createServer((_request, response) => {
  // A string: node:http sends it with the head in one write, its fastest way.
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': BODY.length });
  response.end(BODY);
}).listen(process.argv[2]);

// An ordinary end, so that node writes its profile.
process.once('SIGTERM', () => process.exit());
