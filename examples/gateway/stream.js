// A response without an end: server-sent events, a clock that ticks until the client leaves.
//
//   curl -N http://127.0.0.1:8080/clock
//   new EventSource('/clock').addEventListener('tick', (event) => console.log(event.data));
import { setTimeout as sleep } from 'node:timers/promises';

const TICK_MS = 1000;

/** @type {import('viaduct').Application} */
export const application = (environ, startResponse) => {
  startResponse('200 OK', [
    ['Content-Type', 'text/event-stream; charset=utf-8'],
    ['Cache-Control', 'no-store'],
  ]);
  // An async generator is a body whose next chunk is asked for when the client has taken the last one: a slow client
  // slows the generator down and costs no memory. Each chunk is sent at once; viaduct tells nginx not to buffer it.
  return ticks(environ['viaduct.signal']);
};

/**
 * @param {AbortSignal} signal aborted when the client has gone, the request's time is over, or the server stops.
 *   Without a look at it this generator would sleep on, and its `finally` wait, after everybody has left.
 */
async function* ticks(signal) {
  try {
    for (let id = 1; !signal.aborted; id += 1) {
      yield Buffer.from(`id: ${id}\nevent: tick\ndata: ${new Date().toISOString()}\n\n`);
      await sleep(TICK_MS, undefined, { signal });
    }
  } catch (error) {
    // The signal ends the sleep with an AbortError: that is the ordinary end of this stream.
    if (!signal.aborted) throw error;
  } finally {
    // Runs however the stream ends: the place to unsubscribe, to close a cursor, to count down.
  }
}
