// Server-sent events through a real nginx with its buffering on, as its defaults have it: each event arrives at once, and
// so does what begins a response.
import { expect } from 'chai';
import {
  type Bridge,
  FASTCGI_ONCE,
  HTTP_ONCE,
  startBridge,
  unbuffered,
  UWSGI_TCP,
  type Way,
  WAYS,
} from '../../helpers/bridge.ts';
import { waitFor } from '../../helpers/wait.ts';

const ALL: readonly Way[] = [...WAYS, HTTP_ONCE, UWSGI_TCP, ...unbuffered(WAYS)];
const COUNT = 5;
const EVERY_MS = 60;
const LATE_MS = 100;

describe('nginx: server-sent events', () => {
  let bridge: Bridge;

  before(async () => {
    bridge = await startBridge({ ways: ALL, mounts: { '/events': 'events', '/gate': 'gate' } });
    // The first request of a process pays for what Node compiles then.
    await bridge.request(HTTP_ONCE, { path: '/events?count=1&every=1' });
  });
  after(() => bridge.stop());
  afterEach(() => bridge.expectQuietLogs());

  for (const way of ALL) {
    it(`arrive within ${LATE_MS} ms of being yielded over ${way.name}`, async () => {
      const delays: number[] = [];
      let rest = '';
      const response = await bridge.request(way, {
        path: `/events?count=${COUNT}&every=${EVERY_MS}`,
        onChunk(chunk) {
          const now = performance.timeOrigin + performance.now();
          const events = (rest + chunk.toString('latin1')).split('\n\n');
          rest = events.pop() ?? '';
          for (const event of events) delays.push(now - Number(/^data: (.*)$/m.exec(event)?.[1]));
        },
      });
      expect(response).to.include({ status: 200, complete: true, framing: 'chunked' });
      expect(response.header('content-type')).to.equal('text/event-stream');
      // For nginx only: it takes the header away.
      expect(response.header('x-accel-buffering')).to.equal(undefined);
      expect(delays).to.have.lengthOf(COUNT);
      for (const delay of delays) expect(delay).to.be.within(-1, LATE_MS);
      // One by one, not all at the end: the last event came that much later than the first.
      const [first] = response.chunks;
      expect(response.timings.end - (first?.at ?? Infinity)).to.be.at.least(EVERY_MS * (COUNT - 1));
    });
  }

  it('are held back where the application asks for it', async () => {
    const path = `/events?count=${COUNT}&every=${EVERY_MS}&buffering=yes`;
    const { complete, timings } = await bridge.request(FASTCGI_ONCE, { path });
    expect(complete).to.equal(true);
    expect(timings.firstChunk).to.be.at.least(EVERY_MS * COUNT);
  });

  /** nginx on a kept FastCGI connection passes nothing on before it has seen 8 bytes behind the head. */
  for (const way of ALL) {
    it(`may begin with headers alone, or with very little, over ${way.name}`, async () => {
      for (const first of [0, 1, 2, 7, 8]) {
        const id = `${way.name}-${first}`;
        const call = bridge.startCall(way, { path: `/gate/wait?id=${id}&first=${first}` });
        const what = `a response that begins with ${first} bytes`;
        await waitFor(() => call.status === 200 && call.received === first, { what, timeout: 5000 });
        await bridge.request(way, { method: 'POST', path: `/gate/open?id=${id}` });
        expect(await call.done).to.include({ complete: true, text: `${'b'.repeat(first)}ended` });
      }
    });
  }
});
