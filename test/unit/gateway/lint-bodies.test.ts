// viaduct:lint and the result: each kind of body stays what it is, and is returned and closed once.
import { expect } from 'chai';
import type { Application, Body } from '../../../src/gateway/contract.ts';
import { lint, LintError } from '../../../src/gateway/lint.ts';
import { bytes, makeEnviron, serve, untyped } from '../../helpers/mini-gateway.ts';
import { answer, hello } from './lint/case.ts';

/** A body that writes down what happens to it. */
class Recorder {
  readonly events: string[] = [];
  readonly #items: unknown[];

  constructor(...items: unknown[]) {
    this.#items = items;
  }

  *#generate(): Generator {
    try {
      yield* this.#items;
    } finally {
      this.events.push('finally');
    }
  }

  sync(): Body {
    return untyped({ [Symbol.iterator]: () => this.#generate(), close: () => this.events.push('close') });
  }

  async(): Body {
    const items = (): Generator => this.#generate();
    async function* generate(): AsyncGenerator {
      yield* items();
    }
    const close = async (): Promise<void> => {
      this.events.push('close');
    };
    return untyped({ [Symbol.asyncIterator]: generate, close });
  }

  array(): Body {
    return untyped(Object.assign([...this.#items], { close: () => this.events.push('close') }));
  }
}

interface Counted {
  body: Iterable<Uint8Array> & Body;
  asyncBody: AsyncIterable<Uint8Array> & Body;
  events: string[];
}

/** Linted bodies over iterators written by hand, which hide no call as a generator would. */
function counted(...items: unknown[]): Counted {
  const events: string[] = [];
  const giveUp = (): unknown => {
    events.push('return');
    return { done: true, value: undefined };
  };
  const iterate = (): object => {
    const left = items.values();
    const next = (): unknown => {
      events.push('next');
      return left.next();
    };
    return { next, return: giveUp };
  };
  const open = (body: object): never => {
    const closable = untyped({ ...body, close: () => events.push('close') });
    return untyped(lint(answer(closable))(makeEnviron(), startNothing));
  };
  const body = open({ [Symbol.iterator]: iterate });
  return { body, asyncBody: open({ [Symbol.asyncIterator]: iterate }), events };
}

const startNothing = () => async () => {};

describe('viaduct:lint, kinds of bodies', () => {
  it('gives a real Array with the same items for an Array', async () => {
    const items = [bytes('a'), bytes('b')];
    const body = await lint(answer(items))(makeEnviron(), startNothing);
    expect(Array.isArray(body)).to.equal(true);
    expect(Object.getPrototypeOf(body)).to.equal(Array.prototype);
    expect(body).to.deep.equal(items);
    expect(Object.keys(body)).to.deep.equal(['0', '1']);
    await body.close?.();
  });

  it('gives the Array at once where the application did, so that nobody has to wait', () => {
    expect(Array.isArray(lint(hello)(makeEnviron(), startNothing))).to.equal(true);
  });

  for (const kind of ['array', 'sync', 'async'] as const) {
    it(`keeps a body ${kind}, through a promise too`, async () => {
      const direct = await serve(lint(answer(new Recorder(bytes('a'), bytes('b'))[kind]())));
      expect(direct).to.include({ kind, text: 'ab', status: '200 OK' });
      const later: Application = async (environ, start) =>
        answer(new Recorder(bytes('c'))[kind]())(environ, start);
      expect(await serve(lint(later))).to.include({ kind, text: 'c' });
    });

    it(`closes a body that is ${kind} once after the whole of it`, async () => {
      const recorder = new Recorder(bytes('a'), bytes('b'));
      await serve(lint(answer(recorder[kind]())));
      expect(recorder.events).to.deep.equal(kind === 'array' ? ['close'] : ['finally', 'close']);
    });

    it(`closes a body that is ${kind} when an item breaks a rule, its generator first`, async () => {
      const recorder = new Recorder(bytes('a'), 'text', bytes('b'));
      const error = await serve(lint(answer(recorder[kind]()))).then(
        () => null,
        (caught: unknown) => caught,
      );
      expect(error).to.be.instanceOf(LintError).with.property('rule', 42);
      expect(recorder.events).to.deep.equal(kind === 'array' ? ['close'] : ['finally', 'close']);
    });

    it(`closes a body that is ${kind} and was never iterated`, async () => {
      const recorder = new Recorder(bytes('a'));
      const body = await lint(answer(recorder[kind]()))(makeEnviron(), startNothing);
      await body.close?.();
      expect(recorder.events).to.deep.equal(['close']);
    });
  }

  it('forwards return() once, then close() once, to a sync body given up midway', () => {
    const { body, events } = counted(bytes('a'), bytes('b'));
    const iterator = body[Symbol.iterator]();
    iterator.next();
    expect(iterator.return?.()).to.deep.equal({ done: true, value: undefined });
    iterator.return?.();
    void body.close?.();
    expect(events).to.deep.equal(['next', 'return', 'close']);
  });

  it('forwards return() once, then close() once, to an async body given up midway', async () => {
    const { asyncBody, events } = counted(bytes('a'), bytes('b'));
    const iterator = asyncBody[Symbol.asyncIterator]();
    await iterator.next();
    expect(await iterator.return?.()).to.deep.equal({ done: true, value: undefined });
    await iterator.return?.();
    await asyncBody.close?.();
    expect(events).to.deep.equal(['next', 'return', 'close']);
  });

  it('asks a finished body for nothing more', async () => {
    const { body, asyncBody, events } = counted();
    const iterator = body[Symbol.iterator]();
    const asyncIterator = asyncBody[Symbol.asyncIterator]();
    for (let count = 0; count < 2; count++) {
      expect(iterator.next()).to.deep.equal({ done: true, value: undefined });
      expect(await asyncIterator.next()).to.deep.equal({ done: true, value: undefined });
    }
    iterator.return?.();
    await asyncIterator.return?.();
    expect(events).to.deep.equal(['next', 'next']);
    await Promise.all([body.close?.(), asyncBody.close?.()]);
  });

  it('returns a body whose item broke a rule once', async () => {
    const { body, asyncBody, events } = counted('text', 'text');
    const iterator = body[Symbol.iterator]();
    const asyncIterator = asyncBody[Symbol.asyncIterator]();
    expect(() => iterator.next()).to.throw(LintError);
    iterator.return?.();
    await asyncIterator.next().catch(() => events.push('thrown'));
    await asyncIterator.return?.();
    expect(events).to.deep.equal(['next', 'return', 'next', 'return', 'thrown']);
    await Promise.all([body.close?.(), asyncBody.close?.()]);
  });

  it('lets return() overtake a next() that is under way, and takes no offence at the late item', async () => {
    const settlers: ((step: IteratorResult<Uint8Array>) => void)[] = [];
    const events: string[] = [];
    const inner = {
      next: () => new Promise((resolve) => settlers.push(resolve)),
      return: async () => {
        events.push('return');
        return { done: true, value: undefined };
      },
    };
    const app = answer(untyped({ [Symbol.asyncIterator]: () => inner }));
    const body = lint(app)(makeEnviron(), startNothing) as AsyncIterable<Uint8Array> & Body;
    const iterator = body[Symbol.asyncIterator]();
    const pending = iterator.next();
    await iterator.return?.();
    expect(events).to.deep.equal(['return']);
    await body.close?.();
    settlers[0]?.({ done: false, value: untyped('no bytes') });
    expect(await pending).to.deep.equal({ done: true, value: undefined });
  });

  it('hands on the error of an application, of its body and of close()', async () => {
    const boom = new Error('boom');
    const throws = (): never => {
      throw boom;
    };
    const apps: Application[] = [
      throws,
      async () => throws(),
      answer(untyped({ [Symbol.iterator]: () => ({ next: throws }) })),
      answer(untyped({ [Symbol.asyncIterator]: () => ({ next: throws }) })),
      answer(Object.assign([bytes('a')], { close: throws })),
    ];
    for (const app of apps) {
      expect(
        await serve(lint(app)).then(
          () => null,
          (caught: unknown) => caught,
        ),
      ).to.equal(boom);
    }
  });

  it('tells of the broken rule also where close() fails after it', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const boom = new Error('from close');
    const app = answer(untyped(Object.assign(['text'], { close: () => Promise.reject(boom) })));
    const error = await serve(lint(app)).then(
      () => null,
      (caught: unknown) => caught,
    );
    // Node tells of unhandled rejections before the next turn of the event loop
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', note);
    expect(error).to.be.instanceOf(LintError).with.property('rule', 42);
    expect(unhandled).to.deep.equal([]);
  });
});
