// The four heavy transfers. Each gives what it cost and every condition that did not hold.
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HttpResponse, startCall } from '../../test/helpers/http-client.ts';
import { hashOfPieces, PIECE, pieceAt } from '../lib/pattern.ts';
import type { Bridge } from './bridge.ts';
import { type Cost, Watch } from './watch.ts';

export interface Outcome {
  readonly cost: Cost;
  readonly bytes: number;
  /** What did not hold, as sentences. */
  readonly faults: readonly string[];
  /** What else was measured. */
  readonly note: string;
}

/** A whole transfer may take this long, in milliseconds. */
const TIMEOUT_MS = 600_000;
const MIB = 1024 * 1024;
/**
 * What may be under way between an app and a client that has stopped: the kernel's TCP buffers (tcp_wmem, tcp_rmem: up
 * to 4 and 6 MiB on loopback), nginx's and our own high-water marks.
 */
const UNDER_WAY = 16 * MIB;

/** The app hashes wsgi.input in 64 KiB reads. */
export async function up(bridge: Bridge, pieces: number): Promise<Outcome> {
  return upload(bridge, pieces, 0);
}

/** The client hashes what an async generator gives. */
export async function down(bridge: Bridge, pieces: number, buffered: boolean): Promise<Outcome> {
  const hash = createHash('sha256');
  const watch = new Watch(bridge.daemon.pid);
  const call = startCall({
    port: bridge.port,
    path: downloadPath(pieces, buffered),
    timeout: TIMEOUT_MS,
    onChunk: (chunk) => hash.update(chunk),
  });
  const response = await call.done;
  const cost = watch.stop();
  const faults = downloadFaults(response, hash.digest('hex'), pieces);
  return { cost, bytes: call.received, faults, note: '' };
}

/** The client stops reading in mid-download: the app has to stop too, and memory must not grow; then it goes on. */
export async function stalledReader(bridge: Bridge, pieces: number): Promise<Outcome> {
  const pauseAt = (pieces * PIECE) / 8;
  const hash = createHash('sha256');
  const watch = new Watch(bridge.daemon.pid);
  const call = startCall({
    port: bridge.port,
    path: downloadPath(pieces, false),
    timeout: TIMEOUT_MS,
    onChunk: (chunk) => {
      hash.update(chunk);
      if (call.received >= pauseAt && call.received - chunk.length < pauseAt) call.pause();
    },
  });
  while (call.received < pauseAt) await sleep(5);
  await sleep(1000);
  const settled = (await bridge.progress()).produced;
  await sleep(3000);
  const later = (await bridge.progress()).produced;
  const ahead = later - call.received;
  call.resume();
  const response = await call.done;
  const cost = watch.stop();
  const faults = downloadFaults(response, hash.digest('hex'), pieces);
  if (later !== settled)
    faults.push(`the app gave ${later - settled} bytes more to a client that had stopped reading`);
  if (ahead > UNDER_WAY) faults.push(`the app was ${ahead} bytes ahead of a client that had stopped reading`);
  return { cost, bytes: call.received, faults, note: `app ${mebibytes(ahead)} ahead, flat for 3 s` };
}

/** The app takes its time: the client has to wait, not memory. */
export async function slowApp(bridge: Bridge, pieces: number): Promise<Outcome> {
  return upload(bridge, pieces, pieces);
}

async function upload(bridge: Bridge, pieces: number, slow: number): Promise<Outcome> {
  let sent = 0;
  let ahead = 0;
  async function* body(): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < pieces; index += 1) {
      sent += PIECE;
      yield pieceAt(index);
      if (slow > 0 && index % 64 === 0) ahead = Math.max(ahead, sent - (await bridge.progress()).read);
    }
  }
  const watch = new Watch(bridge.daemon.pid);
  const response = await startCall({
    port: bridge.port,
    method: 'POST',
    path: `/upload?slow=${slow}`,
    headers: [['Content-Length', String(pieces * PIECE)]],
    body: body(),
    timeout: TIMEOUT_MS,
  }).done;
  const cost = watch.stop();
  const faults: string[] = [];
  const wanted = `${pieces * PIECE} ${hashOfPieces(pieces)}`;
  if (response.status !== 200 || response.text !== wanted)
    faults.push(`the app answered ${response.status} "${response.text}", wanted 200 "${wanted}"`);
  if (slow > 0 && ahead > UNDER_WAY)
    faults.push(`the client was ${ahead} bytes ahead of an app that reads slowly`);
  return { cost, bytes: sent, faults, note: slow > 0 ? `client ${mebibytes(ahead)} ahead` : '' };
}

function downloadFaults(response: HttpResponse, hash: string, pieces: number): string[] {
  const faults: string[] = [];
  if (response.status !== 200 || !response.complete)
    faults.push(`the response was ${response.status}, ${response.complete ? 'complete' : 'cut short'}`);
  const wanted = hashOfPieces(pieces);
  if (hash !== wanted) faults.push(`the client's hash is ${hash}, wanted ${wanted}`);
  return faults;
}

const downloadPath = (pieces: number, buffered: boolean): string =>
  `/download?pieces=${pieces}${buffered ? '&buffered=1' : ''}`;
const mebibytes = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
