// PEP 3333, "Handling the Content-Length Header", "The write() Callable", and what HTTP says of bodies that must not be.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application, HeaderList, WriteCallable } from '../../../../src/gateway/contract.ts';
import {
  answering,
  run,
  stageFor,
  texts,
  WatchedBody,
  WatchedSyncBody,
} from '../../../helpers/fake-gateway.ts';
import { bytes, untyped } from '../../../helpers/mini-gateway.ts';
import { waitFor } from '../../../helpers/wait.ts';

const sized = (length: number): HeaderList => [['Content-Length', String(length)]];

/** Starts with `headers`, hands write() to `use`, and returns `rest`. */
const writing =
  (use: (write: WriteCallable) => unknown, rest: string[] = [], headers: HeaderList = []): Application =>
  async (_environ, start) => {
    const write = start('200 OK', headers);
    await use(write);
    return texts(...rest);
  };

describe('PEP 3333, write()', () => {
  it('rule 43: is sent before it returns, before all iterated output, and the result is iterated too', async () => {
    const seen: string[] = [];
    const stage = stageFor(async (_environ, start) => {
      await Promise.resolve();
      const write = start('200 OK', []);
      void write(bytes('a'));
      seen.push(exchange.sent);
      await write(bytes('b'));
      return new WatchedBody('c', 'd');
    });
    const exchange = stage.handle();
    await stage.settled();
    expect(seen).to.deep.equal(['a']);
    expect(exchange.wire).to.deep.equal(['head 200 OK', 'write a', 'write b', 'write c', 'write d', 'end']);
  });

  it('rule 43: waits for the transport when awaited, and buffers when not', async () => {
    let written = false;
    const app = writing((write) => write(bytes('a')).then(() => (written = true)));
    const stage = stageFor(app);
    const exchange = stage.handle({ blocked: true });
    await waitFor(() => exchange.waiting === 1, { what: 'write() to wait' });
    expect([exchange.sent, written]).to.deep.equal(['a', false]);
    exchange.drain();
    await stage.settled();
    expect(written).to.equal(true);
    const eager = stageFor(writing((write) => void write(bytes('a')), ['b']));
    expect(eager.handle({ blocked: true }).sent).to.equal('a');
    await eager.settled();
  });

  it('rule 43: is an error before startResponse has accepted a status', async () => {
    const app: Application = (_environ, start) => {
      const write = start('200 OK', []);
      try {
        start('bad', [], new Error('x'));
      } catch {
        void write(bytes('a'));
      }
      return [];
    };
    const { exchange, events } = await run(app);
    expect(events.codes).to.deep.equal(['ERR_GATEWAY_NOT_STARTED']);
    expect(exchange.status).to.equal('500 Internal Server Error');
  });

  it('rule 43: takes bytes only', async () => {
    for (const chunk of ['a', null, undefined, [97], new ArrayBuffer(1), new Uint16Array(1)]) {
      const { exchange, events } = await run(writing((write) => write(untyped(chunk))));
      expect(events.codes).to.deep.equal(['ERR_GATEWAY_CHUNK']);
      expect(exchange.status).to.equal('500 Internal Server Error');
    }
  });

  it('rule 43: is an error once the response has ended, or the client has left', async () => {
    let write: WriteCallable | null = null;
    await run((_environ, start) => {
      write = start('200 OK', []);
      return [];
    });
    expect(() => write?.(bytes('a')))
      .to.throw()
      .with.property('code', 'ERR_GATEWAY_ENDED');
    const stage = stageFor((_environ, start) => {
      write = start('200 OK', []);
      return new WatchedBody(() => new Promise(() => undefined));
    });
    stage.handle().leave();
    expect(() => write?.(bytes('a')))
      .to.throw()
      .with.property('code', 'ERR_GATEWAY_CLIENT_GONE');
    await stage.settled();
  });
});

describe('PEP 3333, Content-Length', () => {
  it('rule 44: no more than declared is sent, and iteration stops once it is reached', async () => {
    for (const body of [new WatchedBody('ab', 'cd', 'ef'), new WatchedSyncBody('ab', 'cd', 'ef')]) {
      const { exchange, events } = await run(answering(body, sized(3)));
      expect(exchange.wire).to.deep.equal(['head 200 OK', 'write ab', 'write c', 'end']);
      expect([body.nexts, body.returns, body.closes]).to.deep.equal([2, 1, 1]);
      expect(events.warnings).to.deep.equal([
        'the body grows past its Content-Length of 3 bytes: the rest is cut',
      ]);
    }
  });

  it('rule 44: stops at exactly the declared length without a word', async () => {
    const body = new WatchedBody('ab', 'c', 'never');
    const { exchange, events } = await run(answering(body, sized(3)));
    expect([exchange.sent, exchange.ended, body.nexts, body.returns]).to.deep.equal(['abc', true, 2, 1]);
    expect(events.warnings).to.deep.equal([]);
  });

  it('rule 44: cuts an Array that is longer', async () => {
    for (const chunks of [['abcdef'], ['ab', 'cd', 'ef'], ['abc', 'd'], ['', 'abcd']]) {
      const { exchange, events } = await run(answering(texts(...chunks), sized(3)));
      expect([exchange.sent, exchange.ended]).to.deep.equal(['abc', true]);
      expect(events.warnings).to.have.lengthOf(1);
      expect(events.requests[0]?.bytesOut).to.equal(3);
    }
  });

  it('rule 44: write() past the declared length throws, and what fits was sent', async () => {
    const { exchange, events } = await run(writing((write) => write(bytes('abcd')), [], sized(3)));
    expect(events.codes).to.deep.equal(['ERR_GATEWAY_CONTENT_LENGTH']);
    // The client has all it was promised.
    expect(exchange.wire).to.deep.equal(['head 200 OK', 'write abc', 'end']);
    const caught = await run(
      writing(
        async (write) => {
          await write(bytes('abc'));
          expect(() => write(bytes('d')))
            .to.throw()
            .with.property('code', 'ERR_GATEWAY_CONTENT_LENGTH');
        },
        ['e'],
        sized(3),
      ),
    );
    expect([caught.exchange.sent, caught.exchange.ended]).to.deep.equal(['abc', true]);
  });

  it('rule 45: too little is sent, then cut off so that nobody takes it for the whole, and logged', async () => {
    const bodies = [new WatchedBody('ab'), new WatchedSyncBody('ab'), texts('ab'), texts('a', 'b')];
    for (const body of bodies) {
      const { exchange, events } = await run(answering(body, sized(3)));
      expect([exchange.sent, exchange.aborted]).to.deep.equal(['ab', 'app_error']);
      expect(events.codes).to.deep.equal(['ERR_GATEWAY_BODY_SHORT']);
      expect(String(events.errors[0])).to.contain('ended after 2 bytes, Content-Length says 3');
    }
    for (const body of [[], new WatchedBody()]) {
      expect((await run(answering(body, sized(3)))).exchange.aborted).to.equal('app_error');
    }
  });

  it('rule 46: the length is inferred from a single block', async () => {
    const { exchange } = await run(answering(texts('abc'), []));
    expect(exchange.headers).to.deep.equal([['Content-Length', '3']]);
    expect((await run(answering([], []))).exchange.headers).to.deep.equal([['Content-Length', '0']]);
  });

  it('rule 46: the length is not inferred from several blocks, a generator, or after write()', async () => {
    const bodies = [texts('a', 'b'), new WatchedBody('a'), new Set(texts('a'))];
    for (const body of bodies) {
      expect((await run(answering(body, []))).exchange.header('content-length')).to.equal(undefined);
    }
    const { exchange } = await run(writing((write) => write(bytes('a')), ['b']));
    expect(exchange.header('content-length')).to.equal(undefined);
    expect(exchange.sent).to.equal('ab');
  });

  it('rule 46: a length given by the application is kept as it is', async () => {
    for (const length of ['3', '03', '000000000000003']) {
      const { exchange } = await run(answering(texts('abc'), [['Content-Length', length]]));
      expect(exchange.headers).to.deep.equal([['Content-Length', length]]);
    }
    for (const length of ['', '-1', '+3', '3.0', '0x3', ' 3', '3,3', '1e3', '9999999999999999']) {
      const { events } = await run(answering(texts('abc'), [['Content-Length', length]]));
      expect(events.codes, length).to.deep.equal(['ERR_GATEWAY_HEADERS']);
    }
  });

  it('rule 47: transfer coding is left to the transport, the body of unknown length goes out plain', async () => {
    const { exchange } = await run(answering(new WatchedBody('a', 'b'), []));
    expect(exchange.sent).to.equal('ab');
    expect(exchange.header('transfer-encoding')).to.equal(undefined);
  });

  it('rule 48: the application must not apply a transfer coding', async () => {
    const { events, exchange } = await run(answering(texts('0\r\n\r\n'), [['Transfer-Encoding', 'chunked']]));
    expect(events.codes).to.deep.equal(['ERR_GATEWAY_HOP_BY_HOP']);
    expect(exchange.status).to.equal('500 Internal Server Error');
  });

  it('rule 7: a body that goes on asks nginx not to hold it back, a complete one does not', async () => {
    const ofBody = async (app: Application): Promise<string | undefined> =>
      (await run(app)).exchange.header('x-accel-buffering');
    expect(await ofBody(answering(new WatchedBody('a')))).to.equal('no');
    expect(await ofBody(writing((write) => write(bytes('a'))))).to.equal('no');
    expect(await ofBody(answering(texts('a', 'b')))).to.equal(undefined);
    expect(await ofBody(answering(new WatchedBody()))).to.equal(undefined);
    expect(await ofBody(answering(new WatchedBody('a'), [['x-accel-buffering', 'yes']]))).to.equal('yes');
    const kept = await run(answering(new WatchedBody('a')), { needsBuffering: true });
    expect(kept.exchange.header('x-accel-buffering')).to.equal(undefined);
    const flushed = await run(
      writing((write) => write(bytes(''))),
      { needsBuffering: true },
    );
    expect(flushed.exchange.header('x-accel-buffering')).to.equal('no');
    const { exchange } = await run(answering(new WatchedBody('a'), [['X-Accel-Buffering', 'yes']]));
    expect(exchange.headers).to.have.lengthOf(1);
  });
});

describe('HTTP, bodies that must not be (RFC 9110)', () => {
  const bodyOf = (...chunks: string[]): (WatchedBody | Uint8Array[])[] => [
    new WatchedBody(...chunks),
    texts(...chunks),
  ];

  it('rule 54: HEAD gets headers and no body, the given length stays', async () => {
    for (const body of bodyOf('abc')) {
      const { exchange, events } = await run(answering(body, sized(3)), { method: 'HEAD' });
      expect(exchange.wire).to.deep.equal(['head 200 OK', 'end']);
      expect(exchange.headers).to.deep.equal([['Content-Length', '3']]);
      expect([events.warnings, events.errors, events.requests[0]?.bytesOut]).to.deep.equal([[], [], 0]);
    }
  });

  it('rule 54: HEAD is not given a length of 0, but that of a single block', async () => {
    const headers = async (...chunks: string[]): Promise<HeaderList> =>
      (await run(answering(texts(...chunks), []), { method: 'HEAD' })).exchange.headers;
    expect(await headers()).to.deep.equal([]);
    expect(await headers('')).to.deep.equal([]);
    expect(await headers('abc')).to.deep.equal([['Content-Length', '3']]);
    expect(await headers('a', 'b')).to.deep.equal([]);
    const generator = await run(answering(new WatchedBody('a'), []), { method: 'HEAD' });
    expect(generator.exchange.headers).to.deep.equal([]);
  });

  it('rule 54: HEAD stops a body at its first chunk and closes it; what write() is given is dropped', async () => {
    const body = new WatchedBody('a', 'b');
    await run(answering(body), { method: 'HEAD' });
    expect([body.nexts, body.returns, body.closes]).to.deep.equal([1, 1, 1]);
    const { exchange } = await run(
      writing((write) => write(bytes('a'))),
      { method: 'HEAD' },
    );
    expect(exchange.wire).to.deep.equal(['head 200 OK', 'end']);
  });

  it('rule 54: 204 and 304 have no body, 204 no length either; a body given is dropped with a warning', async () => {
    for (const [code, headers] of [
      ['204', []],
      ['304', [['Content-Length', '3']]],
    ] as const) {
      for (const body of bodyOf('abc')) {
        const { exchange, events } = await run(answering(body, sized(3), `${code} x`));
        expect(exchange.wire).to.deep.equal([`head ${code} x`, 'end']);
        expect(exchange.headers).to.deep.equal(headers);
        expect(events.warnings).to.deep.equal([`the body is dropped: a response to ${code} has none`]);
      }
    }
  });

  it('rule 54: 204 and 304 without body are given no length, HEAD or not', async () => {
    for (const method of ['GET', 'HEAD']) {
      for (const status of ['204 x', '304 x']) {
        for (const body of [[], texts(''), new WatchedBody()]) {
          const { exchange, events } = await run(answering(body, [], status), { method });
          expect([exchange.headers, exchange.wire, events.warnings]).to.deep.equal([
            [],
            [`head ${status}`, 'end'],
            [],
          ]);
        }
      }
    }
  });
});
