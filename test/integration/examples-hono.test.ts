// examples/hono as its folder has it, its own nginx.conf in front: it does what it says.
import { expect } from 'chai';
import { type Example, startExample } from '../helpers/example.ts';
import type { CallOptions, HttpResponse } from '../helpers/http-client.ts';
import { hashOf, patternBytes } from '../helpers/pattern.ts';

describe('the example of Hono', () => {
  let example: Example;
  const ask = (path: string, options: CallOptions = {}): Promise<HttpResponse> => example.ask(path, options);

  before(async () => {
    example = await startExample('hono');
  });
  after(() => example?.stop());
  afterEach(() => {
    expect(example.daemon.log().filter(({ level }) => level === 'error')).to.deep.equal([]);
  });

  it('greets, with what the form brought, escaped', async () => {
    expect((await ask('/')).text).to.include('Hello, stranger!');
    const answer = await ask('/greet', {
      method: 'POST',
      headers: [['Content-Type', 'application/x-www-form-urlencoded']],
      body: 'name=%3CZo%C3%AB%3E',
    });
    expect([answer.status, answer.header('location')]).to.deep.equal([303, '/?greeted=%3CZo%C3%AB%3E']);
    expect((await ask(answer.header('location') ?? '')).text).to.include('Hello, &lt;Zoë&gt;!');
    await example.daemon.waitForLog(
      ({ msg }) => msg === 'Greeted "<Zoë>"',
      'the line that was printed after the answer',
    );
  });

  it('hashes a file, from a form and as it comes', async () => {
    const file = patternBytes(1_000_001);
    const boundary = 'a-boundary-of-thirty-characters';
    const head = 'Content-Disposition: form-data; name="file"; filename="a.bin"';
    const form = Buffer.concat([
      Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`),
      file,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]);
    const posted = await ask('/upload', {
      method: 'POST',
      headers: [['Content-Type', `multipart/form-data; boundary=${boundary}`]],
      body: form,
    });
    const size = file.length;
    expect(JSON.parse(posted.text)).to.deep.equal({ name: 'a.bin', size, sha256: hashOf(file) });
    const put = await ask('/upload', { method: 'PUT', body: file });
    expect(JSON.parse(put.text)).to.deep.equal({ size, sha256: hashOf(file) });
  });

  it('counts line by line', async () => {
    const answer = await ask('/count?pause=60');
    const { text, chunks } = answer;
    expect([text, answer.header('content-type')]).to.deep.equal(['1\n2\n3\n4\n5\n', 'text/plain']);
    expect((chunks.at(-1)?.at ?? 0) - (chunks[0]?.at ?? 0)).to.be.above(150);
  });

  it('knows who asks', async () => {
    const { text } = await ask('/who?x', { headers: [['Host', 'site.example']] });
    expect(JSON.parse(text)).to.deep.equal({ you: '127.0.0.1', url: 'http://site.example/who?x' });
  });
});
