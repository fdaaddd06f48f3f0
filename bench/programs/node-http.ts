// What a Node team would run behind proxy_pass: node:http on a Unix socket, each app as plainly as it can be written.
// Arguments: the socket, the app's name.
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AppName } from '../lib/backend.ts';
import { BULK_BYTES, BULK_PIECE, BULK_PIECES } from '../lib/bulk.ts';
import { JSON_TEXT } from '../lib/json-text.ts';

const BODY = 'Hello, World!\n';

const APPS: Readonly<Record<AppName, RequestListener>> = {
  hello: (_request, response) => {
    // A string: node:http sends it with the head in one write, its fastest way.
    response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': BODY.length });
    response.end(BODY);
  },
  json: (_request, response) => {
    const length = Buffer.byteLength(JSON_TEXT);
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': length });
    response.end(JSON_TEXT);
  },
  download: (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': BULK_BYTES });
    produce(response);
  },
  upload: (request, response) => {
    let total = 0;
    request.on('data', (chunk: Buffer) => (total += chunk.length));
    request.on('end', () => {
      response.writeHead(200, { 'Content-Type': 'text/plain' });
      response.end(String(total));
    });
  },
};

/** Writes until the response says that it is full, and goes on once it has drained. */
function produce(response: ServerResponse): void {
  let count = 0;
  const more = (): void => {
    while (count < BULK_PIECES) {
      count += 1;
      if (!response.write(BULK_PIECE)) return;
    }
    response.off('drain', more);
    response.end();
  };
  response.on('drain', more);
  more();
}

const [socket = '', app = ''] = process.argv.slice(2);
const options = {
  // Behind nginx: longer than nginx keeps an idle connection, and as large a head as the other protocols take.
  keepAliveTimeout: 75_000,
  maxHeaderSize: 64 * 1024,
};
createServer(options, APPS[app as AppName]).listen(socket);

// An ordinary end, so that node writes its profile.
process.once('SIGTERM', () => process.exit());
