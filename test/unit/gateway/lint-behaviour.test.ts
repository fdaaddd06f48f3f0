// viaduct:lint as a middleware: what it hands on of environ and startResponse, and two of them around another one.
import { expect } from 'chai';
import type { Application, Body, Environ } from '../../../src/gateway/contract.ts';
import { lint } from '../../../src/gateway/lint.ts';
import { bytes, makeEnviron, serve, untyped } from '../../helpers/mini-gateway.ts';
import { hello } from './lint/case.ts';
import { abc, PATIENT } from './lint/wait-cases.ts';

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
