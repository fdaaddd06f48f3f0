// A whole request for a Python app inside the process: from bytes to a frame for an inbox, and from the thread's answer to
// bytes. No socket, no Python: what is left of `npm run bench`'s CPU per request beyond this is those.
// Build, then: node dist/bench/micro/python-request.js
import { Buffer } from 'node:buffer';
import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { bench, do_not_optimize, run } from 'mitata';
import { pythonApplication } from '../../src/apps/python/application.ts';
import {
  FrameFlag,
  FrameType,
  INBOX_FRAME,
  LANE_VERSION,
  writeRequest,
} from '../../src/apps/python/frames.ts';
import type { Asker } from '../../src/apps/python/dispatch.ts';
import { Lane } from '../../src/apps/python/lane.ts';
import type { LaneServer } from '../../src/apps/python/lane-server.ts';
import { FASTCGI_REQUEST } from './stock-request.ts';
import { fastcgiConnection, never } from './whole-request.ts';

const ignore = (): void => undefined;

function frame(type: number, flags: number, aux: number, head: string, body: string): Buffer {
  const bytes = Buffer.from(head + body, 'latin1');
  const header = Buffer.alloc(12);
  header.writeUInt32LE(bytes.length, 0);
  header.writeUInt8(type, 4);
  header.writeUInt8(flags, 5);
  header.writeUInt16LE(aux, 6);
  header.writeUInt32LE(head.length, 8);
  return Buffer.concat([header, bytes]);
}

const HELLO = frame(FrameType.Hello, 0, LANE_VERSION, '1\x000\x000\0feed\0inbox', '');
const ANSWER = Buffer.concat([
  frame(FrameType.Claim, 0, 0, '', ''),
  frame(
    FrameType.Head,
    FrameFlag.Fin,
    200,
    '200 OK\0Content-Type\0text/plain\0Content-Length\x0014',
    'Hello, World!\n',
  ),
]);

/** The connection of a thread that only answers. */
const socket = Object.assign(new EventEmitter(), {
  write: ignore,
  resume: ignore,
  pause: never,
  destroy: never,
  cork: never,
  uncork: never,
});
const slot = Buffer.alloc(INBOX_FRAME);
let asker: Asker | null = null;
let answer: (bytes: Buffer) => void = never;
const lane = new Lane(
  (receive) => {
    answer = receive;
    return { socket: socket as unknown as Duplex, keep: (part) => Buffer.from(part) };
  },
  { cedes: false, greets: () => true, opened: ignore, claimed: () => asker, idle: ignore, closed: never },
);
answer(HELLO);

const lanes = {
  isDown: false,
  post(user: Asker): void {
    asker = user;
    do_not_optimize(writeRequest(slot, 0, user.request, true));
  },
  giveUp: never,
};
const { connection, written } = fastcgiConnection(
  pythonApplication(lanes as unknown as LaneServer, never),
  false,
);

function request(): void {
  connection.receive(FASTCGI_REQUEST);
  answer(ANSWER);
}

request();
if (lane.state !== 'idle' || written() === 0) throw new Error('Cannot measure: the request was not answered');

bench('FastCGI request for Python: bytes to frame, frame to bytes', () => {
  request();
  do_not_optimize(written());
});

await run();
