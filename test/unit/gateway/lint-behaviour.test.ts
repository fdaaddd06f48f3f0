// viaduct:lint as a middleware: what it passes on, how it closes, and what it leaves alone.
import { expect } from 'chai';
import type { Application, Body, Environ } from '../../../src/gateway/contract.ts';
import { lint, LintError } from '../../../src/gateway/lint.ts';
import { bytes, makeEnviron, serve, untyped } from '../../helpers/mini-gateway.ts';
import { answer, hello } from './lint/case.ts';
import { abc, PATIENT } from './lint/wait-cases.ts';

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
    const recorder = new Recorder(bytes('a'), bytes('b'));
    const body = lint(answer(recorder.sync()))(makeEnviron(), startNothing) as Iterable<Uint8Array> & Body;
    const iterator = body[Symbol.iterator]();
    iterator.next();
    expect(iterator.return?.()).to.deep.equal({ done: true, value: undefined });
    iterator.return?.();
    void body.close?.();
    expect(recorder.events).to.deep.equal(['finally', 'close']);
  });

  it('forwards return() once, then close() once, to an async body given up midway', async () => {
    const recorder = new Recorder(bytes('a'), bytes('b'));
    const body = lint(answer(recorder.async()))(makeEnviron(), startNothing) as AsyncIterable<Uint8Array> &
      Body;
    const iterator = body[Symbol.asyncIterator]();
    await iterator.next();
    await iterator.return?.();
    await iterator.return?.();
    await body.close?.();
    expect(recorder.events).to.deep.equal(['finally', 'close']);
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
    const boom = new Error('from close');
    const rejects = (): Promise<void> => Promise.reject(boom);
    const app = answer(untyped(Object.assign(['text'], { close: rejects })));
    const error = await serve(lint(app)).then(
      () => null,
      (caught: unknown) => caught,
    );
    expect(error).to.be.instanceOf(LintError).with.property('rule', 42);
  });
});

describe('viaduct:lint, environ', () => {
  it('passes the same object on, only the streams replaced', async () => {
    const environ = makeEnviron();
    const { 'wsgi.input': input, 'wsgi.errors': errors } = environ;
    const before = { ...environ };
    let seen: Environ | null = null;
    const app: Application = (given, startResponse) => {
      seen = given;
      return hello(given, startResponse);
    };
    await serve(lint(app), environ);
    expect(seen).to.equal(environ);
    const changed = Object.keys(environ).filter((key) => environ[key] !== before[key]);
    expect(changed).to.have.members(['wsgi.input', 'wsgi.errors', 'viaduct.lint']);
    expect(environ['wsgi.input']).to.not.equal(input);
    expect(environ['wsgi.errors']).to.not.equal(errors);
  });

  it('leaves a lazy key alone', async () => {
    let made = 0;
    const environ = Object.defineProperty(makeEnviron(), 'viaduct.signal', {
      get: () => ++made,
      enumerable: true,
      configurable: true,
    });
    await serve(lint(hello), environ);
    expect(made).to.equal(0);
  });

  it('takes an environ without prototype, and one of a class whose chain ends at once', async () => {
    const bare = Object.assign(untyped(Object.create(null)), makeEnviron());
    const Gateway = untyped(function () {}) as { new (): object; prototype: object };
    Gateway.prototype = untyped(Object.create(null));
    const own = Object.assign(new Gateway(), makeEnviron());
    for (const environ of [bare, own]) {
      expect(await serve(lint(hello), environ)).to.include({ text: 'hello' });
    }
  });

  it('adds nothing that would break or fill a JSON print of environ', async () => {
    const environ = makeEnviron();
    await serve(lint(lint(hello)), environ);
    expect(JSON.stringify(environ['viaduct.lint'])).to.equal('{}');
  });

  it('calls application and startResponse with as many arguments as it was given', async () => {
    const counts: number[] = [];
    const app = (...args: unknown[]): Body => {
      counts.push(args.length);
      const [, start] = args as Parameters<Application>;
      start('200 OK', [['Content-Type', 'text/plain']]);
      start('500 Oops', [['Content-Type', 'text/plain']], new Error('x'));
      return [];
    };
    const body = await lint(app)(makeEnviron(), (...args: unknown[]) => {
      counts.push(args.length);
      return async () => {};
    });
    await body.close?.();
    expect(counts).to.deep.equal([2, 2, 3]);
  });

  it('keeps the first answer where the server refuses the second', async () => {
    const sent = new Error('headers were sent');
    const app: Application = (_environ, start) => {
      start('200 OK', [
        ['Content-Type', 'text/plain'],
        ['Content-Length', '2'],
      ]);
      try {
        start('204 No Content', [], sent);
      } catch (error) {
        expect(error).to.equal(sent);
      }
      return [bytes('ab')];
    };
    const body = await lint(app)(makeEnviron(), (_status, _headers, excInfo) => {
      if (excInfo instanceof Error) {
        throw excInfo;
      }
      return async () => {};
    });
    expect(body).to.have.lengthOf(1);
    await body.close?.();
  });
});

describe('viaduct:lint, two around a middleware (rule 53)', () => {
  for (const { what, middleware, text } of PATIENT) {
    it(`says nothing of one that ${what}`, async () => {
      const warned: number[] = [];
      const options = { onWarning: (rule: number) => warned.push(rule) };
      const served = await serve(lint(middleware(lint(abc, options)), options));
      expect(served.text).to.equal(text);
      expect(warned).to.deep.equal([]);
    });
  }

  it('sees the inner call through a copied environ', async () => {
    const warned: number[] = [];
    const options = { onWarning: (rule: number) => warned.push(rule) };
    const inner = lint(abc, options);
    const collects: Application = async (environ, startResponse) => {
      const body = (await inner({ ...environ }, startResponse)) as AsyncIterable<Uint8Array> & Body;
      const all: Uint8Array[] = [];
      for await (const item of body) {
        all.push(item);
      }
      await body.close?.();
      return [Buffer.concat(all)];
    };
    await serve(lint(collects, options));
    expect(warned).to.deep.equal([53]);
  });
});
