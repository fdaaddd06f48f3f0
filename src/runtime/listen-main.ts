// The program of a short-lived child: calls listen(2) on the sockets it was given as descriptors 3, 4, ... with the
// backlogs its arguments name, prints "PLACE CODE" for each that cannot, and is gone before it could accept anything.
import { writeSync } from 'node:fs';
import { createServer } from 'node:net';

const FIRST = 3;

for (const [place, backlog] of process.argv.slice(2).entries()) {
  createServer()
    .once('error', ({ code }: NodeJS.ErrnoException) => writeSync(1, `${place} ${code ?? 'UNKNOWN'}\n`))
    // Node takes the backlog of a descriptor from the second argument only (lib/net.js).
    .listen({ fd: FIRST + place }, Number(backlog));
}
// listen() has done its work by now, and has put its errors before us in this queue; the event loop has not turned.
process.nextTick(() => process.exit(0));
