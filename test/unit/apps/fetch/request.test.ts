// The request that apps get is held against the platform's `new Request()` with the same contents.
import { expect } from 'chai';
import { inspect } from 'node:util';
import { FastRequest, fastFetch } from '../../../../src/apps/fetch/globals.ts';
import { LazyRequest } from '../../../../src/apps/fetch/request.ts';
import { GatewayError } from '../../../../src/gateway/errors.ts';
import { Input } from '../../../../src/gateway/input.ts';
import { FakeBody } from '../../../helpers/fake-exchange.ts';
import { makeEnviron } from '../../../helpers/mini-gateway.ts';
import { Headers as PlatformHeaders, Request as Captured } from './platform.ts';

const URL_OF_IT = 'http://example.com/a/b?c=d';

interface Sent {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  input?: Input;
}

function lazy({ method = 'GET', headers = {}, body, input }: Sent = {}): Request {
  const given = Object.entries(headers).map(([name, value]) => {
    const key = name.toUpperCase().replaceAll('-', '_');
    return [key.startsWith('CONTENT_') ? key : `HTTP_${key}`, value];
  });
  const environ = makeEnviron({
    REQUEST_METHOD: method,
    HTTP_HOST: undefined,
    CONTENT_LENGTH: body === undefined ? undefined : String(Buffer.byteLength(body)),
    ...Object.fromEntries(given),
    'wsgi.input': input ?? new Input(new FakeBody().push(Buffer.from(body ?? '')).end()),
  });
  return new LazyRequest(environ, URL_OF_IT) as unknown as Request;
}

function platform({ method = 'GET', headers = {}, body }: Sent = {}): Request {
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  return new Captured(URL_OF_IT, {
    method,
    headers: { ...length, ...headers },
    ...(body !== undefined && { body }),
  });
}

const MEMBERS = [
  'method',
  'url',
  'destination',
  'referrer',
  'referrerPolicy',
  'mode',
  'credentials',
  'cache',
  'redirect',
  'integrity',
  'keepalive',
  'bodyUsed',
  'duplex',
] as const;

function looksOf(request: Request): object {
  const members = MEMBERS.map((name) => [name, Reflect.get(request, name) as unknown]);
  return { ...Object.fromEntries(members), hasBody: request.body !== null, headers: [...request.headers] };
}

const SENT: readonly (readonly [what: string, sent: Sent])[] = [
  ['a GET', {}],
  [
    'a GET with headers',
    { headers: { accept: 'a/b', 'x-one': ' spaced\t', cookie: 'a=1; b=2', 'content-type': 'x/y' } },
  ],
  ['a HEAD', { method: 'HEAD' }],
  ['a DELETE without a body', { method: 'DELETE' }],
  ['a POST of nothing', { method: 'POST' }],
  ['a POST of text', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'wört' }],
  ['a PUT of JSON', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"a":[1]}' }],
  ['a PATCH of broken JSON', { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: '{' }],
  ['text with a byte order mark', { method: 'POST', headers: { 'content-type': 'a/b' }, body: '\ufeff"x"' }],
  [
    'a form',
    {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'a=1&b=%C3%B6',
    },
  ],
  ["a method of one's own", { method: 'PROPFIND' }],
];

const READS: readonly (readonly [what: string, read: (request: Request) => Promise<unknown>])[] = [
  ['text()', (request) => request.text()],
  ['json()', (request) => request.json()],
  ['arrayBuffer()', async (request) => Buffer.from(await request.arrayBuffer()).toString()],
  [
    'blob()',
    async (request) => {
      const blob = await request.blob();
      return [blob.type, await blob.text()];
    },
  ],
  ['formData()', async (request) => [...(await request.formData())]],
  [
    'body',
    async (request) => {
      let text = '';
      for await (const chunk of request.body ?? []) text += Buffer.from(chunk as Uint8Array).toString();
      return text;
    },
  ],
  ['a clone', (request) => request.clone().text()],
  [
    'both of a clone',
    async (request) => {
      const copy = request.clone();
      return [await request.text(), await copy.text()];
    },
  ],
];

async function outcomeOf(request: Request, read: (request: Request) => Promise<unknown>): Promise<object> {
  const settle = (work: Promise<unknown>): Promise<unknown> =>
    work.catch((error: unknown) => (error as Error).name);
  const first = await settle(read(request));
  const { bodyUsed } = request;
  const second = await settle((async () => read(request))());
  let copy = 'made';
  try {
    request.clone();
  } catch (error) {
    copy = (error as Error).name;
  }
  return { first, bodyUsed, second, copy, after: looksOf(request) };
}

describe('the request of fetch apps', () => {
  for (const [what, sent] of SENT) {
    it(`is the platform's for ${what}`, async () => {
      expect(looksOf(lazy(sent))).to.deep.equal(looksOf(platform(sent)));
      for (const [how, read] of READS)
        expect(await outcomeOf(lazy(sent), read), how).to.deep.equal(await outcomeOf(platform(sent), read));
    });
  }

  it("is an instance, has all members, and shows itself as the platform's does", () => {
    const request = lazy();
    expect(request).to.be.instanceOf(Captured).and.to.be.instanceOf(FastRequest);
    expect(request.headers).to.be.instanceOf(PlatformHeaders);
    for (const name of Object.getOwnPropertyNames(Captured.prototype))
      expect(name in request, name).to.equal(true);
    for (const name of Object.getOwnPropertyNames(PlatformHeaders.prototype))
      expect(name in request.headers, name).to.equal(true);
    expect(inspect(request)).to.equal(inspect(platform()));
  });

  it('can be given to new Request() and fetch(), with and without changes', async () => {
    const sent = { method: 'POST', headers: { 'content-type': 'text/plain', a: '1' }, body: 'abc' };
    const plain = new FastRequest(lazy(sent));
    expect(looksOf(plain)).to.deep.equal(looksOf(new Captured(platform(sent))));
    expect(await plain.text()).to.equal('abc');
    const changed = new FastRequest(lazy(sent), { method: 'PUT', headers: { b: '2' } });
    expect([changed.method, ...changed.headers]).to.deep.equal(['PUT', ['b', '2']]);
    expect(await changed.text()).to.equal('abc');
    const used = lazy(sent);
    await used.text();
    expect(() => new FastRequest(used)).to.throw(TypeError);
    class Own extends FastRequest {}
    expect(new Own(lazy())).to.be.instanceOf(Own).and.to.be.instanceOf(Captured);
    expect(new Captured('http://a/')).to.be.instanceOf(FastRequest);
    const refused = await fastFetch(
      new LazyRequest(makeEnviron(), 'http://127.0.0.1:1/') as unknown as Request,
    ).catch((error: unknown) => error);
    expect(String((refused as Error).cause)).to.match(/ECONNREFUSED|bad port/);
  });

  it('has headers that are looked up in any case, and can be changed', async () => {
    const request = lazy({
      method: 'POST',
      headers: { 'x-some-thing': 'v', 'content-type': 'a/b' },
      body: 'abc',
    });
    const { headers } = request;
    expect([headers.get('X-Some-Thing'), headers.get('Content-TYPE'), headers.get('x-none')]).to.deep.equal([
      'v',
      'a/b',
      null,
    ]);
    expect([headers.has('x-some-thing'), headers.has('x-none')]).to.deep.equal([true, false]);
    expect(() => headers.get('a b')).to.throw(TypeError);
    headers.set('content-type', 'c/d');
    headers.delete('x-some-thing');
    expect([headers.get('content-type'), headers.has('x-some-thing')]).to.deep.equal(['c/d', false]);
    expect(request.headers).to.equal(headers);
    expect((await request.clone().blob()).type).to.equal('c/d');
    headers.set('x-late', '1');
    expect(request.clone().headers.get('x-late')).to.equal('1');
    const seen: unknown[] = [];
    headers.forEach((value, name, all) => seen.push([name, value, all === headers]));
    expect(seen[0]).to.deep.equal(['content-length', '3', true]);
    expect([...new PlatformHeaders(headers)]).to.deep.equal([...headers]);
  });

  it('drops header values that Headers refuses', () => {
    const { headers } = lazy({ headers: { a: 'b\r\nc: d', e: 'f' } });
    expect([headers.get('a'), ...headers]).to.deep.equal([null, ['e', 'f']]);
  });

  it('streams a body as it comes, and reads no more than is asked for', async () => {
    const body = new FakeBody().push('one');
    const reader = lazy({ method: 'POST', input: new Input(body) }).body?.getReader();
    await new Promise(setImmediate);
    expect(body.reads).to.equal(0);
    expect(Buffer.from((await reader?.read())?.value as Uint8Array).toString()).to.equal('one');
    expect(body.reads).to.equal(1);
    const next = reader?.read();
    body.push('two');
    expect(Buffer.from((await next)?.value as Uint8Array).toString()).to.equal('two');
    body.end();
    expect((await reader?.read())?.done).to.equal(true);
  });

  it('fills the buffers of a reader that brings its own', async () => {
    const reader = lazy({ method: 'POST', body: 'abc' }).body?.getReader({ mode: 'byob' });
    let read = '';
    for (;;) {
      const step = await reader?.read(new Uint8Array(2));
      if (step === undefined || step.done) break;
      read += Buffer.from(step.value).toString();
    }
    expect(read).to.equal('abc');
  });

  it('has no body where the client says that there is none', async () => {
    const request = lazy({ method: 'POST', body: '', input: new Input(new FakeBody()) });
    expect([request.body, await request.text()]).to.deep.equal([null, '']);
  });

  it('fails as its body does', async () => {
    const gone = new GatewayError('ERR_BODY_CLIENT_GONE', 'gone');
    for (const [how, read] of READS.filter(([name]) => name !== 'both of a clone')) {
      const body = new FakeBody().push('one');
      const reading = read(
        lazy({
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          input: new Input(body),
        }),
      ).catch((error: unknown) => error);
      setImmediate(() => body.fail(gone));
      const failure = await reading;
      expect(failure, how).to.be.instanceOf(Error);
      if (how !== 'formData()') expect(failure, how).to.equal(gone);
    }
  });

  it("has the gateway's signal", () => {
    const controller = new AbortController();
    const request = new LazyRequest(
      makeEnviron({ 'viaduct.signal': controller.signal }),
      URL_OF_IT,
    ) as unknown as Request;
    const copy = request.clone();
    expect(request.signal.aborted).to.equal(false);
    controller.abort(new Error('left'));
    expect([request.signal.aborted, copy.signal.aborted]).to.deep.equal([true, true]);
    expect(copy.signal.reason).to.equal(controller.signal.reason);
  });
});
