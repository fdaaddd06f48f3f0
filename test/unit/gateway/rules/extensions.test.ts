// PEP 3333, "Optional Platform-Specific File Handling", "Server Extension APIs" and "Middleware".
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application, Body, Middleware, StartResponse } from '../../../../src/gateway/contract.ts';
import { lint } from '../../../../src/gateway/lint.ts';
import {
  answering,
  environFor,
  PLAIN,
  run,
  stageFor,
  texts,
  WatchedBody,
} from '../../../helpers/fake-gateway.ts';
import { bytes } from '../../../helpers/mini-gateway.ts';
import { waitFor } from '../../../helpers/wait.ts';

class TextFile {
  readonly sizes: (number | undefined)[] = [];
  closes = 0;
  #rest: Uint8Array;

  constructor(content: string) {
    this.#rest = bytes(content);
  }

  read(size = 1): Uint8Array {
    this.sizes.push(size);
    const block = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return block;
  }

  close(): void {
    this.closes += 1;
  }
}

describe('PEP 3333, extensions and middleware', () => {
  it('rule 55: file_wrapper reads nothing before the server iterates, then from where the file stands', async () => {
    const file = new TextFile('abcdef');
    file.read(1);
    const app: Application = (environ, start) => {
      const body = environ['wsgi.file_wrapper'](file, 2);
      expect(file.sizes).to.deep.equal([1]);
      return answering(body)(environ, start);
    };
    const { exchange } = await run(app);
    expect(exchange.wire).to.deep.equal(['head 200 OK', 'write bc', 'write de', 'write f', 'end']);
    expect(file.sizes).to.deep.equal([1, 2, 2, 2, 2]);
    expect(file.closes).to.equal(1);
  });

  it('rule 55: file_wrapper ends at Content-Length and closes the file', async () => {
    const file = new TextFile('abcdef');
    const app: Application = (environ, start) =>
      answering(environ['wsgi.file_wrapper'](file, 2), [['Content-Length', '3']])(environ, start);
    const { exchange } = await run(app);
    expect([exchange.sent, exchange.ended, file.sizes, file.closes]).to.deep.equal(['abc', true, [2, 2], 1]);
  });

  it('rule 55: a wrapper that is not returned transmits nothing, and a wrapped wrapper goes through its wrapper', async () => {
    const upper = (body: Body): Body =>
      (async function* () {
        for await (const chunk of body) yield bytes(Buffer.from(chunk).toString('latin1').toUpperCase());
      })();
    const app: Application = (environ, start) => {
      environ['wsgi.file_wrapper'](new TextFile('not this'));
      return answering(upper(environ['wsgi.file_wrapper'](new TextFile('abc'))))(environ, start);
    };
    expect((await run(app)).exchange.sent).to.equal('ABC');
  });

  it("rule 56: no extension goes round what a middleware replaced: input and startResponse are the gateway's only ways", async () => {
    const middleware: Middleware = (app) => (environ, start) => {
      environ['wsgi.input'] = {
        read: async () => bytes('replaced'),
        readline: async () => bytes(''),
        readlines: async () => [],
        [Symbol.asyncIterator]: async function* () {},
      };
      return app(environ, (status, headers, excInfo) => start(status, [...headers, ['X', 'y']], excInfo));
    };
    const app: Application = async (environ, start) =>
      answering([await environ['wsgi.input'].read()])(environ, start);
    const { exchange } = await run(middleware(app), { body: 'real' });
    expect([exchange.sent, exchange.header('x')]).to.deep.equal(['replaced', 'y']);
    const environ = await environFor();
    const others = Object.keys(environ).filter((key) => /^(?!wsgi\.).*\./.test(key));
    expect(others.map((key) => typeof environ[key])).to.have.members(['string', 'string', 'object']);
  });
});

/** Upper-cases as it goes: a value for each value, close() forwarded, write() wrapped and not used for yielded data. */
const upperCase: Middleware = (app) => {
  const raise = (chunk: Uint8Array): Uint8Array => bytes(Buffer.from(chunk).toString('latin1').toUpperCase());
  return async (environ, start) => {
    const wrapped: StartResponse = (...args) => {
      const write = start(...args);
      return (chunk) => write(raise(chunk));
    };
    const inner = await app(environ, wrapped);
    return {
      async *[Symbol.asyncIterator]() {
        for await (const chunk of inner) yield raise(chunk);
      },
      close: () => inner.close?.(),
    };
  };
};

describe('PEP 3333, a middleware with viaduct:lint on both sides', () => {
  const sandwich = (app: Application): Application => lint(upperCase(lint(app)));

  it('rule 57: gives a value for each value of the application, at once', async () => {
    let body = new WatchedBody();
    const app: Application = (environ, start) => {
      const signal = environ['viaduct.signal'];
      const untilGone = (): Promise<never> =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('gone'))));
      body = new WatchedBody('a', '', 'b', untilGone);
      return answering(body)(environ, start);
    };
    const stage = stageFor(sandwich(app));
    const exchange = stage.handle();
    await waitFor(() => body.nexts === 4, { what: 'the fourth value to be asked for' });
    // The application still works on its fourth value, and the client has the three before.
    expect(exchange.wire).to.deep.equal(['head 200 OK', 'write A', 'write B']);
    exchange.leave();
    await stage.settled();
    expect(body.closes).to.equal(1);
  });

  it('rule 57: keeps to both sides: write(), close() once, empty and failing bodies', async () => {
    const body = new WatchedBody('b', 'c');
    const app: Application = async (_environ, start) => {
      await start('200 OK', PLAIN.slice())(bytes('a'));
      return body;
    };
    const { exchange, events } = await run(sandwich(app));
    expect([exchange.sent, exchange.ended, events.errors, events.lines]).to.deep.equal(['ABC', true, [], []]);
    expect(body.ends).to.deep.equal({ returns: 0, closes: 1 });
    expect((await run(sandwich(answering([])))).exchange.wire).to.deep.equal(['head 200 OK', 'end']);
    const failing = await run(
      sandwich(answering(new WatchedBody('a', () => Promise.reject(new Error('x'))))),
    );
    expect([failing.exchange.aborted, failing.events.codes]).to.deep.equal(['app_error', ['x']]);
  });

  it('rule 57: one that waits for several values is found out', async () => {
    const greedy: Middleware = (app) => async (environ, start) => {
      const chunks: Uint8Array[] = [];
      const inner = await app(environ, start);
      return {
        async *[Symbol.asyncIterator]() {
          for await (const chunk of inner) chunks.push(chunk);
          yield Buffer.concat(chunks);
        },
        close: () => inner.close?.(),
      };
    };
    const { events } = await run(lint(greedy(lint(answering(new WatchedBody('a', 'b'))))));
    expect([...events.codes, ...events.lines].join()).to.match(/53|ERR_LINT/);
    const fine = await run(lint(answering(texts('a'))));
    expect([fine.events.codes, fine.events.lines]).to.deep.equal([[], []]);
  });
});
