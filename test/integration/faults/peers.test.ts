// Peers that are slow, say too much, lie about their length or speak something else, straight at viaduct's sockets while
// nginx's clients are served as ever.
import { expect } from 'chai';
import { fcgiBegin, fcgiPairs, fcgiRecord, fcgiStream, FcgiType, uwsgiPacket } from '../../helpers/bytes.ts';
import { FASTCGI_KEEP } from '../../helpers/bridge.ts';
import { ask, type Dialect, DIALECTS, readEnd, readRecords } from '../../helpers/dialects.ts';
import { faultTest, mountOf, type Stand } from '../../helpers/fault-stand.ts';
import type { Peer } from '../../helpers/peer.ts';
import { expectSteady } from '../../helpers/steady-client.ts';
import { waitFor } from '../../helpers/wait.ts';

const isFastcgi = ({ protocol }: Dialect): boolean => protocol === 'fastcgi';

/** The status of the answer, 0 where the connection ends without one. */
async function statusOf(dialect: Dialect, peer: Peer): Promise<number> {
  const look = (): number | null => {
    const answer = dialect.answer(peer.received, peer.over);
    if (answer?.whole === true) return answer.status;
    return peer.over ? 0 : null;
  };
  return waitFor(look, { what: 'an answer or the end', timeout: 10_000 });
}

describe('fault: slow peers', () => {
  const PEERS = 500;
  const MiB = 1024 * 1024;

  /** What a peer sends at once, and whether it goes on byte by byte. */
  const slowOnes = (dialect: Dialect): readonly { begin: Buffer; trickles: boolean }[] => {
    const whole = ask(dialect);
    const half = whole.subarray(0, whole.length / 2);
    const body = Buffer.concat([dialect.head({ path: '/up', length: 1000 }), dialect.body('x')]);
    return [
      { begin: whole.subarray(0, 1), trickles: true },
      { begin: half, trickles: false },
      { begin: body, trickles: false },
    ];
  };

  faultTest(
    `${PEERS} that trickle, stop in a record or in a body: each is ended in time, and memory stays`,
    {
      mounts: { '/up': 'describe' },
      config: { timeouts: { params: '1s', body: '1s' } },
      expected: { viaduct: [/params|body|more lines like/i] },
      timeout: 30_000,
    },
    async (stand) => {
      const clients = stand.steady({ rate: 200 });
      await clients.moreAnswers(100);
      const before = stand.daemon.rss();
      const kinds = slowOnes(stand.dialect);
      const peers: Peer[] = [];
      const trickling: Peer[] = [];
      for (let n = 0; n < PEERS; n += 1) {
        const peer = await stand.peer();
        const { begin, trickles } = kinds[n % kinds.length] ?? { begin: '', trickles: false };
        peer.send(begin);
        peers.push(peer);
        if (trickles) trickling.push(peer);
      }
      const whole = ask(stand.dialect);
      let at = 1;
      const timer = setInterval(() => {
        for (const peer of trickling) if (!peer.over) peer.send(whole.subarray(at, at + 1));
        at += 1;
      }, 200);
      try {
        // A body that stalls gets its 408, and then its end from the peer.
        const isDone = (peer: Peer): boolean => {
          const answer = stand.dialect.answer(peer.received, peer.over);
          return peer.over || answer?.status === 408;
        };
        await waitFor(() => peers.every(isDone), { what: 'all to be ended', timeout: 10_000, interval: 50 });
      } finally {
        clearInterval(timer);
      }
      expect(stand.daemon.rss() - before).to.be.below(60 * MiB);
      const timedOut = { protocol: stand.way.protocol, reason: 'params_timeout' };
      expect(await stand.metric('viaduct_protocol_errors_total', timedOut)).to.be.at.least(300);
      for (const peer of peers) peer.destroy();
      expectSteady(await clients.stop());
    },
  );

  faultTest(
    'one that begins requests and never goes on is refused, and in the end hung up on',
    {
      ways: [FASTCGI_KEEP],
      config: { timeouts: { params: '1s' } },
      expected: { viaduct: [/^Cannot go on: \d+ odd records on one connection/] },
    },
    async (stand) => {
      const clients = stand.steady({ rate: 200 });
      const before = stand.daemon.rss();
      const peer = await stand.peer();
      for (let id = 1; id <= 5000; id += 1) peer.send(fcgiBegin(id, { keepConn: true }));
      const { records } = readRecords(await peer.whole());
      expect(records.length).to.be.within(10, 1000);
      for (const { id } of records) expect(readEnd(peer.received, id)).to.equal('END 0 2');
      expect(stand.daemon.rss() - before).to.be.below(30 * MiB);
      peer.destroy();
      expectSteady(await clients.stop());
    },
  );
});

describe('fault: peers that say too much, or lie', () => {
  const KiB = 1024;
  type Send = (dialect: Dialect, peer: Peer) => void;
  interface Row {
    readonly what: string;
    readonly wanted: number;
    /** Over uwsgi: only FastCGI says that a body has ended, and a FIN means that the client has left. */
    readonly elsewhere: number;
    readonly send: Send;
  }
  const row = (what: string, wanted: number, send: Send, elsewhere = wanted): Row => ({
    what,
    wanted,
    elsewhere,
    send,
  });
  const ROWS: readonly Row[] = [
    row('params of limits.params_size', 200, (dialect, peer) =>
      peer.send(ask(dialect, '', { params: ['HTTP_X', 'x'.repeat(31 * KiB)] })),
    ),
    row('params beyond limits.params_size', 431, (dialect, peer) =>
      peer.send(ask(dialect, '', { params: ['HTTP_X', 'x'.repeat(32 * KiB + 1)] })),
    ),
    row('more params than limits.params_count', 431, (dialect, peer) =>
      peer.send(ask(dialect, '', { params: Array.from({ length: 2200 }, (_, n) => `HTTP_X${n}`) })),
    ),
    row('a body beyond limits.body_size', 413, (dialect, peer) =>
      peer.send(ask(dialect, 'x'.repeat(2000), { path: '/up' })),
    ),
    row('a body longer than its CONTENT_LENGTH', 200, (dialect, peer) =>
      peer.send(ask(dialect, 'x'.repeat(200), { path: '/up', length: 100 })),
    ),
    row(
      'a body shorter than its CONTENT_LENGTH',
      400,
      (dialect, peer) => peer.send(ask(dialect, 'x'.repeat(50), { path: '/up', length: 100 })),
      408,
    ),
    row(
      'a CONTENT_LENGTH without a body',
      400,
      (dialect, peer) => peer.send(ask(dialect, '', { path: '/up', length: 100 })),
      408,
    ),
  ];

  faultTest(
    'get an answer that says so, never a mere close',
    {
      mounts: { '/up': mountOf('describe', { limits: { body_size: 1000 } }) },
      config: { limits: { params_size: '32K' }, timeouts: { body: '500ms' } },
      expected: { viaduct: [/params|vars|body|CONTENT_LENGTH/i] },
    },
    async (stand) => {
      const clients = stand.steady({ rate: 200 });
      const found: [string, number][] = [];
      for (const { what, send } of ROWS) {
        const peer = await stand.peer();
        send(stand.dialect, peer);
        found.push([what, await statusOf(stand.dialect, peer)]);
        peer.destroy();
      }
      // One without a length, which only FastCGI can send.
      if (isFastcgi(stand.dialect)) {
        const peer = await stand.peer();
        peer.send(ask(stand.dialect, 'x'.repeat(2000), { path: '/up', length: null }));
        expect(await statusOf(stand.dialect, peer)).to.equal(413);
      }
      expect(found).to.deep.equal(
        ROWS.map(({ what, wanted, elsewhere }) => [what, isFastcgi(stand.dialect) ? wanted : elsewhere]),
      );
      expectSteady(await clients.stop());
    },
  );
});

describe('fault: garbage', () => {
  const { fastcgi, uwsgi, http } = DIALECTS;
  const TLS_HELLO = Buffer.from('16030100c8010000c40303', 'hex');
  const FUZZED = 300;

  /** Bytes that look like the protocol at first, then anything: random ones would all end at the first byte. */
  function fuzz(dialect: Dialect, seed: number): Buffer {
    const next = generator(seed);
    const noise = Buffer.from(Array.from({ length: next() % 600 }, () => next() & 0xff));
    const whole = ask(dialect, 'x'.repeat(next() % 100));
    if (seed % 4 === 0) return noise;
    if (seed % 4 === 1) return Buffer.concat([whole.subarray(0, next() % whole.length), noise]);
    const spoiled = Buffer.from(whole);
    for (let n = 0; n < 3; n += 1) spoiled[next() % spoiled.length] = next() & 0xff;
    return spoiled;
  }

  async function send(stand: Stand, bytes: Buffer): Promise<void> {
    const peer = await stand.peer();
    peer.send(bytes);
    peer.end();
    await waitFor(() => peer.over, { what: `the end after ${bytes.toString('hex').slice(0, 200)}` });
    peer.destroy();
  }

  faultTest(
    'is counted, logged so many times by its name, and leaves everybody else alone',
    { expected: { viaduct: [/.*/] }, timeout: 30_000 },
    async (stand) => {
      const workers = await stand.daemon.workers();
      const clients = stand.steady({ rate: 200 });
      const others = [fastcgi, uwsgi, http].filter((dialect) => dialect !== stand.dialect);
      const strange = [
        ...others.map((dialect) => ask(dialect)),
        TLS_HELLO,
        Buffer.alloc(1000),
        Buffer.alloc(1000, 0xff),
        uwsgiPacket('abc', { modifier1: 22 }),
        fcgiRecord(FcgiType.STDIN, 1, 'x', { version: 2 }),
        Buffer.concat([fcgiBegin(1), fcgiStream(FcgiType.PARAMS, 1, Buffer.alloc(50, 0xff))]),
        fcgiPairs(['A', 'B']),
      ];
      for (const bytes of strange) await send(stand, bytes);
      const errors = await stand.metric('viaduct_protocol_errors_total', { protocol: stand.way.protocol });
      expect(errors).to.be.at.least(3);
      for (let seed = 1; seed <= FUZZED; seed += 1) await send(stand, fuzz(stand.dialect, seed));
      const lines = stand.daemon.log().filter(({ code }) => String(code).startsWith('ERR_'));
      expect(lines.length).to.be.within(3, 150);
      expect(await stand.metric('viaduct_protocol_errors_total')).to.be.above(errors);
      expect(await stand.daemon.workers()).to.deep.equal(workers);
      expectSteady(await clients.stop());
    },
  );
});

/** Numbers that are the same each time (a linear congruential generator). */
function generator(seed: number): () => number {
  let state = seed * 2_654_435_761;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor(state / 65_536);
  };
}
