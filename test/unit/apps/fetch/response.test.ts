// The Response that apps find is held against the platform's: what the one does, the other does.
import { expect } from 'chai';
import { Response as Captured } from './platform.ts';
import { FastResponse } from '../../../../src/apps/fetch/globals.ts';
import { LightResponse } from '../../../../src/apps/fetch/response.ts';
import { inspect } from 'node:util';

type Make = (Response: typeof Captured) => Response;
const NONE = null;
const bytes = Buffer.from([0, 1, 254, 255]);

/** Everything that can be seen of a response without reading it. */
function looksOf(response: Response): object {
  const { status, statusText, ok, type, url, redirected, bodyUsed } = response;
  const hasBody = response.body !== null;
  return { status, statusText, ok, type, url, redirected, bodyUsed, hasBody, headers: [...response.headers] };
}

/** What making it and reading it gives, errors included. */
async function outcomeOf(make: () => Response): Promise<object> {
  let response: Response;
  try {
    response = make();
  } catch (error) {
    return { error: (error as Error).name };
  }
  const before = looksOf(response);
  const copy = response.clone();
  const read = Buffer.from(await response.arrayBuffer()).toString('latin1');
  const reread = await response.text().catch((error: unknown) => (error as Error).name);
  return { before, read, reread, after: response.bodyUsed, copy: looksOf(copy), copied: await copy.text() };
}

const CASES: readonly (readonly [what: string, isLight: boolean, make: Make])[] = [
  ['nothing', true, (R) => new R()],
  ['null', true, (R) => new R(NONE)],
  ['text', true, (R) => new R('wört 🎈 \ud800')],
  ['no text', true, (R) => new R('')],
  ['bytes', true, (R) => new R(bytes)],
  ['a view of bytes', true, (R) => new R(bytes.subarray(1, 3))],
  ['an ArrayBuffer', false, (R) => new R(new Uint8Array([1, 2]).buffer)],
  ['a Blob', false, (R) => new R(new Blob(['b'], { type: 'x/y' }))],
  ['a form', false, (R) => new R(new URLSearchParams({ a: 'ö' }))],
  ['a stream', false, (R) => new R(new Blob(['s']).stream())],
  ['a number for a body', false, (R) => new R(5 as never)],
  ['a status', true, (R) => new R('x', { status: 201 })],
  ['a status in words', false, (R) => new R('x', { status: '404' as never })],
  ['a status that is too small', false, (R) => new R('x', { status: 199 })],
  ['a status that is too large', false, (R) => new R('x', { status: 600 })],
  ['a broken status', false, (R) => new R('x', { status: 200.7 })],
  ['204 with text', false, (R) => new R('x', { status: 204 })],
  ['204 without', true, (R) => new R(NONE, { status: 204 })],
  ['304', true, (R) => new R(undefined, { status: 304 })],
  ['a reason', false, (R) => new R('x', { statusText: 'Fine' })],
  ['a reason with a line break', false, (R) => new R('x', { statusText: 'a\nb' })],
  ['no init', true, (R) => new R('x', {})],
  ['undefined members', true, (R) => new R('x', { status: undefined, headers: undefined } as never)],
  ['null for init', false, (R) => new R('x', null as never)],
  ['a number for init', false, (R) => new R('x', 5 as never)],
  ['headers', true, (R) => new R('x', { headers: { 'X-One': '1', 'x-two': '2' } })],
  ['a type', true, (R) => new R('x', { headers: { 'Content-Type': 'text/html' } })],
  ['a type for bytes', true, (R) => new R(bytes, { headers: { 'content-type': 'a/b' } })],
  ['space around a value', false, (R) => new R('x', { headers: { a: ' b\t' } })],
  ['an empty value', false, (R) => new R('x', { headers: { a: '' } })],
  ['latin-1 in a value', true, (R) => new R('x', { headers: { a: 'ö' } })],
  ['more than latin-1 in a value', false, (R) => new R('x', { headers: { a: '€' } })],
  ['a line break in a value', false, (R) => new R('x', { headers: { a: 'b\r\nc: d' } })],
  ['a line break in a name', false, (R) => new R('x', { headers: { 'a\n': 'b' } })],
  ['no name', false, (R) => new R('x', { headers: { '': 'b' } })],
  ['a number for a value', false, (R) => new R('x', { headers: { a: 5 as never } })],
  ['a header twice', false, (R) => new R('x', { headers: { A: '1', a: '2' } })],
  [
    'pairs',
    false,
    (R) =>
      new R('x', {
        headers: [
          ['a', '1'],
          ['set-cookie', 'b'],
          ['set-cookie', 'c'],
        ],
      }),
  ],
  ['Headers', true, (R) => new R('x', { headers: cookies() })],
  [
    'a class for init',
    false,
    (R) =>
      new R(
        'x',
        new (class {
          status = 418;
        })(),
      ),
  ],
  [
    'getters',
    true,
    (R) =>
      new R('x', {
        get status() {
          return 202;
        },
      }),
  ],
  ['json()', true, (R) => R.json({ a: [1, 'ö'] })],
  ['json() with a status', false, (R) => R.json(5, { status: 400 })],
  ['json() of what has none', false, (R) => R.json(undefined)],
  ['json() that throws', false, (R) => R.json(1n)],
  ['redirect()', false, (R) => R.redirect('http://a.b/c', 307)],
  ['redirect() to nowhere', false, (R) => R.redirect('http://', 302)],
  ['the body of another', true, (R) => new R(new R('x').body, { status: 201 })],
  ['the body and the init of another', true, (R) => again(R)],
];

const cookies = (): Headers =>
  new Headers([
    ['Set-Cookie', 'a=1'],
    ['X', 'y'],
    ['set-cookie', 'b=2'],
  ]);

function again(R: typeof Captured): Response {
  const first = new R('x', { status: 202, headers: { 'X-One': '1' } });
  return new R(first.body, first);
}

describe('the Response of fetch apps', () => {
  for (const [what, isLight, make] of CASES) {
    it(`is the platform's for ${what}${isLight ? ', and light' : ''}`, async () => {
      expect(await outcomeOf(() => make(FastResponse))).to.deep.equal(await outcomeOf(() => make(Captured)));
      let made: object | null = null;
      try {
        made = make(FastResponse);
      } catch {
        // As the platform: compared above.
      }
      expect(made !== null && LightResponse.is(made)).to.equal(isLight);
    });
  }

  it('is an instance in both directions, subclasses too', () => {
    class Own extends FastResponse {
      readonly more = 1;
    }
    const own = new Own('x', { status: 201 });
    for (const response of [new FastResponse('x'), FastResponse.error(), FastResponse.json(1), own]) {
      expect(response).to.be.instanceOf(FastResponse);
      expect(response).to.be.instanceOf(Captured);
    }
    expect(new Captured('x')).to.be.instanceOf(FastResponse);
    expect(own).to.be.instanceOf(Own).and.to.include({ more: 1, status: 201 });
    expect(new FastResponse('x')).to.not.be.instanceOf(Own);
    expect(FastResponse.error().type).to.equal('error');
    expect(() => Reflect.apply(FastResponse as never, undefined, [])).to.throw(TypeError, /without 'new'/);
  });

  it('has all members the platform has', () => {
    const light = new FastResponse('x');
    for (const name of Object.getOwnPropertyNames(Captured.prototype)) {
      expect(name in light, name).to.equal(true);
      if (name !== 'constructor')
        expect(typeof Reflect.get(light, name), name).to.equal(typeof Reflect.get(new Captured('x'), name));
    }
  });

  it('keeps what it was given, whatever becomes of it later', async () => {
    const content = Buffer.from('abc');
    const headers = new Headers({ a: '1' });
    const response = new FastResponse(content, { headers });
    content.fill(0);
    headers.set('a', '2');
    expect(await response.text()).to.equal('abc');
    expect(response.headers.get('a')).to.equal('1');
  });

  it("has headers that can be changed, and stay so in a copy and in the platform's", async () => {
    const response = new FastResponse('{}', { headers: { 'content-type': 'a/b' } });
    response.headers.set('content-type', 'c/d');
    response.headers.append('x', '1');
    expect([...response.clone().headers]).to.deep.equal([
      ['content-type', 'c/d'],
      ['x', '1'],
    ]);
    expect((await response.clone().blob()).type).to.equal('c/d');
    expect([...LightResponse.pairsOf(response as never)]).to.deep.equal([
      ['content-type', 'c/d'],
      ['x', '1'],
    ]);
    response.headers.delete('content-type');
    expect((await response.blob()).type).to.equal('');
  });

  it('shares its body with the response that takes it', async () => {
    const first = new FastResponse('abc');
    const { body } = first;
    expect(first.body).to.equal(body);
    const second = new FastResponse(body, first);
    expect(second.body).to.equal(body);
    expect(LightResponse.bodyOf(second as never)).to.equal('abc');
    expect(await second.text()).to.equal('abc');
    expect([first.bodyUsed, second.bodyUsed]).to.deep.equal([true, true]);
    expect(() => new FastResponse(body)).to.throw(TypeError);
    expect(() => first.clone()).to.throw(TypeError);
  });

  it('reads its body into a buffer of the reader', async () => {
    for (const text of ['', 'abc']) {
      const reader = new FastResponse(text).body?.getReader({ mode: 'byob' });
      let read = '';
      for (;;) {
        const step = await reader?.read(new Uint8Array(2));
        if (step === undefined || step.done) break;
        read += Buffer.from(step.value).toString();
      }
      expect(read).to.equal(text);
    }
  });

  it('gives its bytes to a reader and keeps them for the client', async () => {
    const response = new FastResponse(bytes);
    const { body } = response;
    const sent = LightResponse.bodyOf(response as never);
    await new FastResponse(body).arrayBuffer();
    expect(sent).to.deep.equal(new Uint8Array(bytes));
  });

  it("has the headers of the platform's once that is made", async () => {
    const response = new FastResponse('x', { headers: { 'content-type': 'a/b' } });
    // A copy of a response whose stream is known makes the platform's.
    expect(response.body).to.not.equal(null);
    expect(response.clone().headers.get('content-type')).to.equal('a/b');
    response.headers.set('content-type', 'c/d');
    expect((await response.blob()).type).to.equal('c/d');
  });

  it('knows a body that was locked or cancelled', async () => {
    const locked = new FastResponse('abc');
    locked.body?.getReader();
    expect(LightResponse.bodyOf(locked as never)).to.equal(undefined);
    const cancelled = new FastResponse('abc');
    await cancelled.body?.cancel();
    expect(cancelled.bodyUsed).to.equal(true);
    expect(() => new FastResponse(cancelled.body)).to.throw(TypeError);
  });

  it('shows itself as one', () => {
    expect(inspect(new FastResponse('x', { status: 201 }))).to.match(/^Response \{\n? *status: 201,/);
  });
});
