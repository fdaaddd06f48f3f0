// A whole response as FastCGI records: ours in one buffer or a list for writev, fastcgi-stream's record by record.
// Build, then: node dist/bench/micro/encoder.js
import { EventEmitter } from 'node:events';
import fastcgiStream from 'fastcgi-stream';
import { bench, do_not_optimize, run, summary } from 'mitata';
import { encodeStdout } from '../../src/protocol/fastcgi/encoder.ts';

const HEAD = 'Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\n';
const { StdOut, EndRequest } = fastcgiStream.records;
const pipe = Object.assign(new EventEmitter(), {
  write(bytes: Buffer): boolean {
    do_not_optimize(bytes);
    return true;
  },
});
const stream = new fastcgiStream.FastCGIStream(pipe);

for (const size of [14, 4096, 16 * 1024, 60 * 1024]) {
  const body = [Buffer.alloc(size, 120)];
  summary(() => {
    bench(`encodeStdout, ${size} bytes`, () => {
      do_not_optimize(encodeStdout(1, HEAD, body, true));
    });
    bench(`fastcgi-stream, ${size} bytes`, () => {
      const end = new EndRequest();
      end.appStatus = 0;
      end.protocolStatus = 0;
      stream.writeRecord(1, new StdOut(Buffer.concat([Buffer.from(HEAD, 'latin1'), ...body])));
      stream.writeRecord(1, new StdOut());
      stream.writeRecord(1, end);
    });
  });
}

await run();
