// PEP 3333, "The Application/Framework Side" and "The Server/Gateway Side": how an application is called and its body taken.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application, Body, Environ, StartResponse } from '../../../../src/gateway/contract.ts';
import {
  answering,
  makeMount,
  PLAIN,
  run,
  Stage,
  texts,
  WatchedBody,
  WatchedSyncBody,
} from '../../../helpers/fake-gateway.ts';
import { bytes, untyped } from '../../../helpers/mini-gateway.ts';
import { waitFor } from '../../../helpers/wait.ts';

describe('PEP 3333, calling the application', () => {
  it('rule 1: calls it with two positional arguments, again and again', async () => {
    const calls: unknown[][] = [];
    const app: Application = (...args) => {
      calls.push(args);
      return answering(texts('ok'))(...args);
    };
    const stage = new Stage(makeMount(app));
    stage.handle();
    stage.handle();
    await stage.settled();
    expect(calls.map((args) => args.map((arg) => typeof arg))).to.deep.equal([
      ['object', 'function'],
      ['object', 'function'],
    ]);
  });

  it('rule 1: looks at nothing of the callable, of whatever kind it is', async () => {
    const touched: PropertyKey[] = [];
    const app = new Proxy(answering(texts('ok')), {
      get(target, key) {
        touched.push(key);
        return Reflect.get(target, key);
      },
    });
    const bound = answering(texts('ok')).bind(null);
    async function named(environ: Environ, start: StartResponse): Promise<Body> {
      return answering(texts('ok'))(environ, start);
    }
    function* generator(_environ: Environ, start: StartResponse): Generator<Uint8Array> {
      start('200 OK', []);
      yield bytes('ok');
    }
    for (const each of [app, bound, named, generator]) {
      expect((await run(each)).exchange.sent).to.equal('ok');
    }
    expect(touched).to.deep.equal([]);
  });

  it('rule 2: gives every request a plain object of its own, free to change', async () => {
    const seen: Environ[] = [];
    const app: Application = (environ, start) => {
      expect(environ['my.key']).to.equal(undefined);
      environ['my.key'] = 1;
      environ.PATH_INFO = '/changed';
      environ['wsgi.input'] = untyped('mine');
      environ['viaduct.signal'] = untyped('mine');
      Reflect.deleteProperty(environ, 'HTTP_HOST');
      expect(environ['viaduct.signal']).to.equal('mine');
      seen.push(environ);
      return answering(texts('ok'))(environ, start);
    };
    const stage = new Stage(makeMount(app));
    const first = stage.handle({ path: '/x' });
    const second = stage.handle({ path: '/x' });
    await stage.settled();
    expect([first.sent, second.sent]).to.deep.equal(['ok', 'ok']);
    expect(seen[0]).to.not.equal(seen[1]);
    expect(Object.prototype.toString.call(seen[0])).to.equal('[object Object]');
    expect(Object.keys(seen[0] ?? {})).to.include.members(['REQUEST_METHOD', 'wsgi.version', 'my.key']);
  });

  it('rule 3: of the result uses iteration, an Array its length, and close() alone', async () => {
    const touched = new Set<PropertyKey>();
    const watch = <T extends object>(target: T): T =>
      new Proxy(target, {
        get(inner, key) {
          touched.add(key);
          const value: unknown = Reflect.get(inner, key);
          return typeof value === 'function' ? value.bind(inner) : value;
        },
      });
    await run(answering(watch(new WatchedBody('a', 'b'))));
    // `then` is how a promise of a body is told from a body.
    expect([...touched]).to.have.members(['then', Symbol.asyncIterator, 'close']);
    touched.clear();
    await run(answering(watch(new WatchedSyncBody('a'))));
    expect([...touched]).to.have.members(['then', Symbol.iterator, 'close']);
  });

  it('rule 3: takes zero, one and many chunks, of any iterable', async () => {
    async function* many(): AsyncGenerator<Uint8Array> {
      yield* texts('a', 'b', 'c');
    }
    const bodies: [Body, string][] = [
      [[], ''],
      [texts('a'), 'a'],
      [new Set(texts('a', 'b')), 'ab'],
      [many(), 'abc'],
      [texts('a', 'b', 'c').values(), 'abc'],
    ];
    for (const [body, sent] of bodies) {
      const { exchange } = await run(answering(body));
      expect([exchange.status, exchange.sent, exchange.ended]).to.deep.equal(['200 OK', sent, true]);
    }
  });

  it('rule 4: lets a generator call startResponse in its first next()', async () => {
    const app = function* (_environ: Environ, start: StartResponse): Generator<Uint8Array> {
      start('201 Created', PLAIN.slice());
      yield bytes('a');
    };
    const later = async function* (_environ: Environ, start: StartResponse): AsyncGenerator<Uint8Array> {
      await Promise.resolve();
      start('201 Created', PLAIN.slice());
      yield bytes('a');
    };
    for (const each of [app, later]) {
      expect((await run(each)).exchange.wire).to.deep.equal(['head 201 Created', 'write a', 'end']);
    }
  });

  it('rule 4: an empty chunk may come before startResponse was called', async () => {
    const app = function* (_environ: Environ, start: StartResponse): Generator<Uint8Array> {
      yield bytes('');
      start('201 Created', PLAIN.slice());
      yield bytes('a');
    };
    expect((await run(app)).exchange.wire).to.deep.equal(['head 201 Created', 'write a', 'end']);
  });

  it('rule 5: relies on the length of an Array: one chunk is the whole body', async () => {
    const { exchange } = await run(answering(texts('abc')));
    expect(exchange.header('content-length')).to.equal('3');
    expect(exchange.wire).to.deep.equal(['head 200 OK', 'end abc']);
  });

  it('rule 6: calls close() once after completion, and no return() then', async () => {
    for (const body of [new WatchedBody('a', 'b'), new WatchedSyncBody('a', 'b'), new WatchedBody()]) {
      await run(answering(body));
      expect(body.ends).to.deep.equal({ returns: 0, closes: 1 });
    }
    let closes = 0;
    await run(answering(Object.assign(texts('a'), { close: () => void (closes += 1) })));
    expect(closes).to.equal(1);
  });

  it('rule 6: calls close() once after an error of the iteration', async () => {
    const broken = (): never => {
      throw new Error('broken');
    };
    for (const body of [new WatchedBody('a', broken), new WatchedSyncBody('a', broken)]) {
      const { events } = await run(answering(body));
      expect(events.codes).to.deep.equal(['broken']);
      expect(body.ends).to.deep.equal({ returns: 0, closes: 1 });
    }
  });

  it('rule 6: calls close() where the client left before the iteration began', async () => {
    const body = new WatchedBody('a');
    let give: (body: Body) => void = () => undefined;
    const stage = new Stage(
      makeMount((_environ, start) => {
        start('200 OK', []);
        return new Promise<Body>((resolve) => (give = resolve));
      }),
    );
    stage.handle().leave();
    give(body);
    await stage.settled();
    expect([body.iterations, body.returns, body.closes]).to.deep.equal([0, 0, 1]);
  });

  it('rule 6: calls close() where the client left during the iteration', async () => {
    const body = new WatchedBody('a', () => new Promise(() => undefined));
    const stage = new Stage(makeMount(answering(body)));
    const exchange = stage.handle();
    await waitFor(() => body.nexts === 2, { what: 'the second next()' });
    exchange.leave();
    await stage.settled();
    expect(body.ends).to.deep.equal({ returns: 1, closes: 1 });
  });

  it('rule 7: hands each block to the transport before it asks for the next, nothing held between yields', async () => {
    const seen: string[] = [];
    const stage: Stage = new Stage(
      makeMount(async (_environ, start) => {
        start('200 OK', []);
        await Promise.resolve();
        const look = (text: string) => (): Uint8Array => {
          seen.push(exchange.wire.join());
          return bytes(text);
        };
        return new WatchedBody(look('a'), look('b'), look('c'));
      }),
    );
    const exchange = stage.handle();
    await stage.settled();
    expect(seen).to.deep.equal(['', 'head 200 OK,write a', 'head 200 OK,write a,write b']);
  });

  it('rule 7: asks for no more while the transport is above its mark', async () => {
    for (const body of [new WatchedBody('a', 'b', 'c'), new WatchedSyncBody('a', 'b', 'c')]) {
      const stage = new Stage(makeMount(answering(body)));
      const exchange = stage.handle({ blocked: true });
      await waitFor(() => exchange.waiting === 1, { what: 'the transport to be waited for' });
      expect([body.nexts, exchange.sent]).to.deep.equal([1, 'a']);
      exchange.drain();
      await stage.settled();
      expect(exchange.sent).to.equal('abc');
    }
  });

  it('rule 8: sends bytes as they are, line ends and all 256 values', async () => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, code) => code));
    const { exchange } = await run(answering([every, bytes('\r\n\n\r')]));
    expect(exchange.sent).to.equal(`${every.toString('latin1')}\r\n\n\r`);
  });
});
