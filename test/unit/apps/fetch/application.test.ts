// A fetch app as the gateway calls it: what it is given, and what becomes of what it answers.
import { expect } from 'chai';
import { adaptFetch } from '../../../../src/apps/fetch/adapt.ts';
import { FastResponse } from '../../../../src/apps/fetch/globals.ts';
import { backgroundWork } from '../../../../src/apps/background-work.ts';
import type { ExecutionContext } from '../../../../src/apps/fetch/context.ts';
import type { Environ } from '../../../../src/gateway/contract.ts';
import { makeEnviron, type MemoryErrors, type Served, serve } from '../../../helpers/mini-gateway.ts';
import { Response as Platform } from './platform.ts';

type Handler = (request: Request, env: Record<string, unknown>, context: ExecutionContext) => unknown;

async function call(
  handler: Handler,
  changes: Record<string, unknown> = {},
): Promise<Served & { environ: Environ }> {
  const environ = makeEnviron({ REQUEST_URI: '/app/path?q', ...changes });
  const app = adaptFetch(handler, './app.js', { KEY: 'välue' });
  return { ...(await serve(app, environ)), environ };
}

const failureOf = async (result: unknown): Promise<unknown> =>
  call(() => result).then(
    () => 'answered',
    (error: unknown) => (error instanceof TypeError ? error.message : error),
  );

const streamOf = (...chunks: (string | Error)[]): ReadableStream =>
  new ReadableStream({
    pull(controller) {
      const chunk = chunks.shift();
      if (chunk === undefined) controller.close();
      else if (chunk instanceof Error) controller.error(chunk);
      else controller.enqueue(Buffer.from(chunk));
    },
  });

describe('a fetch app is given', () => {
  it('the whole URL below its mount, the values of the mount and the environ', async () => {
    const { text, environ } = await call((request, env, context) => {
      expect(context.passThroughOnException()).to.equal(undefined);
      expect(context.props).to.deep.equal({});
      return new Platform(
        [request.url, env['KEY'], Object.keys(env), (env['environ'] as Environ)['SCRIPT_NAME']].join(' '),
      );
    });
    expect(Buffer.from(text, 'latin1').toString()).to.equal(
      'http://example.com/app/path?q välue KEY,environ /app',
    );
    expect(environ['KEY']).to.equal(undefined);
  });

  it('no request whose host, target or method the platform has no place for', async () => {
    const never = (): never => {
      throw new Error('the app was called');
    };
    const refused = await call(never, { HTTP_HOST: 'a b' });
    expect(refused.status).to.equal('400 Bad Request');
    expect((refused.environ['wsgi.errors'] as MemoryErrors).text).to.equal(
      'Refused request with 400: no URL can be made of Host "a b" and target "/app/path?q"\n',
    );
    expect((await call(never, { REQUEST_METHOD: 'TRACE' })).status).to.equal('501 Not Implemented');
  });

  it('waitUntil(), whose failures are logged, and which is waited for', async () => {
    const { environ } = await call((_request, _env, context) => {
      context.waitUntil(Promise.reject(new RangeError('too late')));
      context.waitUntil(Promise.reject('a text'));
      context.waitUntil('no promise at all');
      return new Platform();
    });
    await backgroundWork.idle();
    const { text } = environ['wsgi.errors'] as MemoryErrors;
    expect(text).to.match(/^A promise given to waitUntil\(\) failed: RangeError: too late\n +at /);
    expect(text).to.match(/\nA promise given to waitUntil\(\) failed: a text\n$/);
  });
});

describe('the answer of a fetch app', () => {
  for (const R of [FastResponse, Platform]) {
    const kind = R === Platform ? "the platform's" : 'light';

    it(`has status, headers, several cookies and a length (${kind})`, async () => {
      const headers = new Headers([
        ['X-One', '1'],
        ['Set-Cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ]);
      const {
        status,
        headers: sent,
        text,
        kind: shape,
      } = await call(() => new R('wört', { status: 418, headers }));
      expect(status).to.equal("418 I'm a Teapot");
      expect(sent).to.deep.include.members([
        ['x-one', '1'],
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
        ['content-type', 'text/plain;charset=UTF-8'],
      ]);
      expect([Buffer.from(text, 'latin1').toString(), shape]).to.deep.equal(['wört', 'array']);
    });

    it(`drops what belongs to the connection (${kind})`, async () => {
      const headers = {
        connection: 'x',
        'Keep-Alive': '1',
        'transfer-encoding': 'chunked',
        upgrade: 'y',
        status: '7',
        'x-tab': 'a\tb',
      };
      expect((await call(() => new R(null, { headers }))).headers).to.deep.equal([['x-tab', 'a b']]);
    });

    it(`has no body where there is none (${kind})`, async () => {
      for (const status of [200, 204, 304]) {
        const { chunks, headers } = await call(() => new R(null, { status }));
        expect([chunks, headers]).to.deep.equal([[], []]);
      }
    });
  }

  it('needs no promise for text, and one for what the app promises', async () => {
    const app = adaptFetch(
      (request: Request) =>
        request.url.endsWith('async') ? Promise.resolve(new FastResponse('x')) : new FastResponse('x'),
      '',
    );
    expect(app(makeEnviron({ REQUEST_URI: '/' }), () => async () => undefined)).to.deep.equal([
      Buffer.from('x'),
    ]);
    expect(app(makeEnviron({ REQUEST_URI: '/async' }), () => async () => undefined)).to.be.instanceOf(
      Promise,
    );
  });

  it('keeps its own reason, and finds one for any status', async () => {
    const line = async (status: number, statusText = ''): Promise<string> =>
      (await call(() => new Platform(null, { status, statusText }))).status;
    expect([
      await line(200, 'Very\tGood '),
      await line(299),
      await line(200, ' \t'),
      await line(404),
    ]).to.deep.equal(['200 Very Good', '299 Unknown', '200 OK', '404 Not Found']);
  });

  it('sends at once what a stream has at once, and the rest as it comes', async () => {
    expect(await call(() => new Platform(streamOf('a', 'b')))).to.include({ text: 'ab', kind: 'array' });
    const slow = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        controller.enqueue(Buffer.from('c'));
        controller.close();
      },
    });
    const { kind, chunks } = await call(() => new Platform(slow));
    // The empty one opens the response.
    expect([kind, ...chunks.map((chunk) => Buffer.from(chunk).toString())]).to.deep.equal(['async', '', 'c']);
    const large = Array.from({ length: 20 }, () => 'x'.repeat(10_000));
    const much = await call(() => new Platform(streamOf(...large)));
    expect([much.kind, much.text.length]).to.deep.equal(['async', 200_000]);
  });

  it('does not read the body of an answer to HEAD', async () => {
    let isCancelled = false;
    const body = new ReadableStream({
      cancel: () => {
        isCancelled = true;
      },
    });
    const { chunks, headers } = await call(() => new Platform(body, { headers: { 'content-length': '7' } }), {
      REQUEST_METHOD: 'HEAD',
    });
    expect([chunks, headers, isCancelled]).to.deep.equal([[], [['content-length', '7']], true]);
  });

  for (const body of [new Blob(['hello']), new ArrayBuffer(5), new URLSearchParams({ abc: 'd' })]) {
    it(`gives HEAD the body of a ${body.constructor.name}, whose length the gateway tells`, async () => {
      const { kind, text } = await call(() => new Platform(body), { REQUEST_METHOD: 'HEAD' });
      expect([kind, text.length]).to.deep.equal(['array', 5]);
    });
  }

  it('tells a stream that its reader has gone', async () => {
    let reason: unknown = null;
    const body = new ReadableStream({
      cancel: (why) => {
        reason = why;
      },
    });
    const app = adaptFetch(() => new Platform(body), '');
    const sent = await app(makeEnviron({ REQUEST_URI: '/' }), () => async () => undefined);
    await sent.close?.();
    await sent.close?.();
    expect((reason as Error).name).to.equal('AbortError');
  });

  it('frees a stream whose headers were refused', async () => {
    let isCancelled = false;
    const body = new ReadableStream({
      cancel: () => {
        isCancelled = true;
      },
    });
    const app = adaptFetch(() => new Platform(body), '');
    const refuse = (): never => {
      throw new Error('refused');
    };
    const failure = await Promise.resolve(app(makeEnviron({ REQUEST_URI: '/' }), refuse)).catch(
      (error: unknown) => error,
    );
    expect([(failure as Error).message, isCancelled]).to.deep.equal(['refused', true]);
  });

  it('of fetch() loses the coding that fetch() has undone', async () => {
    const fetched = (headers: Record<string, string>, body: string | null = 'x'): Response => {
      const response = new Platform(body, { headers: { 'content-length': '99', ...headers } });
      return Object.defineProperty(response, 'url', { value: 'http://up.example/' });
    };
    const namesOf = async (response: Response): Promise<string[]> =>
      (await call(() => response)).headers.map(([name]) => name).filter((name) => name !== 'content-type');
    expect(await namesOf(fetched({ 'content-encoding': 'gzip, BR' }))).to.deep.equal([]);
    expect(await namesOf(fetched({ 'content-encoding': 'aes' }))).to.deep.equal([
      'content-encoding',
      'content-length',
    ]);
    expect(await namesOf(fetched({}))).to.deep.equal(['content-length']);
    expect(await namesOf(fetched({ 'content-encoding': 'gzip' }, null))).to.deep.equal([
      'content-encoding',
      'content-length',
    ]);
    const own = new Platform('x', { headers: { 'content-encoding': 'gzip' } });
    expect(await namesOf(own)).to.deep.equal(['content-encoding']);
  });

  const used = new Platform('x');
  const locked = new Platform('x');
  const begun = new Platform(streamOf('x', 'y'));
  const light = new FastResponse('x');
  const wrong: readonly (readonly [what: string, result: unknown, said: string])[] = [
    [
      'nothing',
      undefined,
      'Cannot send response: the app returned undefined, wanted a Response; does a handler forget to return it?',
    ],
    ['a text', 'hello', 'Cannot send response: the app returned string "hello", wanted a Response'],
    [
      'an app',
      { fetch: () => null },
      'Cannot send response: the app returned Object, wanted a Response; it is an app: export that, or a promise of it, not a function that makes it',
    ],
    [
      'Response.error()',
      Platform.error(),
      'Cannot send response: it is an error (Response.error()), wanted a status of 200 to 599',
    ],
    [
      'a body that was read',
      used,
      'Cannot send response: its body was read before, or somebody has a reader for it',
    ],
    [
      'a body that somebody has begun to read',
      begun,
      'Cannot send response: its body was read before, or somebody has a reader for it',
    ],
    [
      'a body that is locked',
      locked,
      'Cannot send response: its body was read before, or somebody has a reader for it',
    ],
    [
      'a light body that was read',
      light,
      'Cannot send response: its body was read before, or somebody has a reader for it',
    ],
  ];
  for (const [what, result, said] of wrong) {
    it(`cannot be ${what}`, async () => {
      await used.text().catch(() => undefined);
      await light.text().catch(() => undefined);
      if (!begun.bodyUsed) {
        const reader = begun.body?.getReader();
        await reader?.read();
        reader?.releaseLock();
      }
      if (!(locked.body?.locked ?? true)) locked.body?.getReader();
      expect(await failureOf(result)).to.equal(said);
      expect(await failureOf(Promise.resolve(result))).to.equal(said);
    });
  }

  it('fails as its stream does, before it began and after', async () => {
    const broken = new Error('broken');
    expect(await failureOf(new Platform(streamOf(broken)))).to.equal(broken);
    expect(await failureOf(new Platform(streamOf('x'.repeat(70_000), broken)))).to.equal(broken);
    expect(await failureOf(Promise.reject(broken))).to.equal(broken);
  });

  it('can be closed after its stream has failed', async () => {
    const app = adaptFetch(() => new Platform(streamOf('x'.repeat(70_000), new Error('broken'))), '');
    const body = await app(makeEnviron({ REQUEST_URI: '/' }), () => async () => undefined);
    const drain = async (): Promise<void> => {
      for await (const chunk of body) expect(chunk).to.have.lengthOf(70_000);
    };
    expect(await drain().catch((error: unknown) => String(error))).to.equal('Error: broken');
    await body.close?.();
  });
});
