// viaduct:static: which file answers, with which head and which bytes, and when the application does instead.
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import fs, {
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Environ } from '../../../../src/gateway/contract.ts';
import type { FakeExchange } from '../../../helpers/fake-exchange.ts';
import { makeTempDir, removeTempDir } from '../../../helpers/temp.ts';
import { waitFor } from '../../../helpers/wait.ts';
import { Seen, Stand } from './stand.ts';

const TEXT = '0123456789abcdefghij';
const LONG_AGO = 'Thu, 01 Jan 1970 00:00:01 GMT';
const FAR_AHEAD = 'Fri, 01 Jan 2100 00:00:00 GMT';
const APP = 'from the app';

interface Case {
  what: string;
  path: string;
  options?: object;
  headers?: Record<string, string>;
  method?: string;
  /** Of nginx's params, where the path alone does not say it. */
  status: number;
  sent?: string;
  has?: Record<string, string | undefined>;
}

const CASES: Case[] = [
  {
    what: 'a file',
    path: '/app/text.txt',
    status: 200,
    sent: TEXT,
    has: {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': '20',
      'Accept-Ranges': 'bytes',
      'Cache-Control': 'public, max-age=0',
      'Last-Modified': LONG_AGO,
      ETag: 'W/"14-3e8"',
    },
  },
  {
    what: 'HEAD',
    path: '/app/text.txt',
    method: 'HEAD',
    status: 200,
    sent: '',
    has: { 'Content-Length': '20' },
  },
  { what: 'an empty file', path: '/app/empty.css', status: 200, sent: '', has: { 'Content-Length': '0' } },
  {
    what: 'a file of an unknown kind',
    path: '/app/noextension',
    status: 200,
    has: { 'Content-Type': 'application/octet-stream' },
  },
  { what: 'a name in UTF-8', path: '/app/\u00c3\u00a9 %41.txt', status: 200, sent: 'accent' },
  { what: 'a name that is no UTF-8', path: '/app/\u00e9', status: 200, sent: APP },
  {
    what: 'the index of the root',
    path: '/app/',
    status: 200,
    sent: 'index',
    has: { 'Content-Type': 'text/html; charset=utf-8' },
  },
  { what: 'the index of a folder', path: '/app/sub/', status: 200, sent: 'sub index' },
  { what: 'another index', path: '/app/sub/', options: { index: 'other.txt' }, status: 200, sent: 'other' },
  { what: 'no index', path: '/app/sub/', options: { index: false }, status: 200, sent: APP },
  {
    what: 'the mount without its slash',
    path: '/app',
    status: 301,
    has: { Location: 'http://example.com/app/' },
  },
  {
    what: 'a folder without its slash',
    path: '/app/sub',
    headers: { QUERY_STRING: 'a=b' },
    status: 301,
    has: { Location: 'http://example.com/app/sub/?a=b', 'Cache-Control': 'no-store' },
  },
  {
    what: 'the same on another port, behind a strange Host',
    path: '/app/sub',
    headers: { HTTP_HOST: 'a b', SERVER_PORT: '8080' },
    status: 301,
    has: { Location: 'http://example.com:8080/app/sub/' },
  },
  { what: 'a folder without an index', path: '/app/bare', status: 200, sent: APP },
  { what: 'the same with its slash', path: '/app/bare/', status: 200, sent: APP },
  { what: 'a file with a slash behind it', path: '/app/text.txt/', status: 200, sent: APP },
  { what: 'a file as a folder', path: '/app/text.txt/x', status: 200, sent: APP },
  { what: 'no file', path: '/app/none', status: 200, sent: APP },
  { what: 'no file, and no app', path: '/app/none', options: { fallthrough: false }, status: 404 },
  {
    what: 'a name that is too long',
    path: `/app/${'x'.repeat(300)}`,
    options: { fallthrough: false },
    status: 404,
  },
  { what: 'POST', path: '/app/text.txt', method: 'POST', status: 200, sent: APP },
  {
    what: 'POST, and no app',
    path: '/app/text.txt',
    method: 'POST',
    options: { fallthrough: false },
    status: 405,
    has: { Allow: 'GET, HEAD' },
  },
  {
    what: 'an extension',
    path: '/app/about',
    options: { extensions: ['htm', 'html'] },
    status: 200,
    sent: 'about',
  },
  {
    what: 'max_age and immutable',
    path: '/app/text.txt',
    options: { max_age: '8760h', immutable: true },
    status: 200,
    has: { 'Cache-Control': 'public, max-age=31536000, immutable' },
  },
  {
    what: 'a file below a prefix',
    path: '/app/s/text.txt',
    options: { prefix: '/s' },
    status: 200,
    sent: TEXT,
  },
  {
    what: 'a path outside the prefix',
    path: '/app/text.txt',
    options: { prefix: '/s' },
    status: 200,
    sent: APP,
  },
  {
    what: 'a path that only begins like it',
    path: '/app/sx',
    options: { prefix: '/s' },
    status: 200,
    sent: APP,
  },
  {
    what: 'a path outside the prefix, whatever fallthrough says',
    path: '/app/none',
    options: { prefix: '/\u00e9', fallthrough: false },
    status: 200,
    sent: APP,
  },
  {
    what: 'a prefix in UTF-8',
    path: '/app/\u00c3\u00a9/text.txt',
    options: { prefix: '/\u00e9' },
    status: 200,
    sent: TEXT,
  },
  {
    what: 'a prefix without its slash',
    path: '/app/s',
    options: { prefix: '/s' },
    status: 301,
    has: { Location: 'http://example.com/app/s/' },
  },
  { what: 'a file with a dot in front', path: '/app/.env', status: 200, sent: APP },
  { what: 'the same, denied', path: '/app/.env', options: { dotfiles: 'deny' }, status: 403 },
  {
    what: 'below a folder with a dot, denied',
    path: '/app/.git/x',
    options: { dotfiles: 'deny' },
    status: 403,
  },
  {
    what: 'the same, allowed',
    path: '/app/.env',
    options: { dotfiles: 'allow' },
    status: 200,
    sent: 'secret',
  },
  {
    what: 'a path that climbs out',
    path: '/app/x',
    headers: { PATH_INFO: '/app/../../outside.txt', SCRIPT_NAME: '' },
    status: 403,
  },
  {
    what: 'the same, encoded',
    path: '/app/%2e%2e/outside.txt',
    options: { fallthrough: false },
    status: 404,
  },
  { what: 'the same, with backslashes', path: '/app/..\\outside.txt', status: 403 },
  {
    what: 'a link to the outside, which whoever made the folder wants',
    path: '/app/link.txt',
    status: 200,
    sent: 'outside',
  },
  { what: 'a link to nothing', path: '/app/broken', status: 200, sent: APP },
  { what: 'a link in a circle', path: '/app/circle', status: 403 },
  { what: 'a pipe', path: '/app/pipe', status: 200, sent: APP },
  {
    what: 'If-None-Match that matches',
    path: '/app/text.txt',
    headers: { HTTP_IF_NONE_MATCH: '"x", W/"14-3e8"' },
    status: 304,
    sent: '',
    has: { ETag: 'W/"14-3e8"', 'Content-Type': undefined, 'Content-Length': undefined },
  },
  {
    what: 'the same with no-cache',
    path: '/app/text.txt',
    headers: { HTTP_IF_NONE_MATCH: 'W/"14-3e8"', HTTP_CACHE_CONTROL: 'no-cache' },
    status: 200,
    sent: TEXT,
  },
  {
    what: 'If-None-Match that does not',
    path: '/app/text.txt',
    headers: { HTTP_IF_NONE_MATCH: '"x"', HTTP_IF_MODIFIED_SINCE: FAR_AHEAD },
    status: 200,
    sent: TEXT,
  },
  {
    what: 'If-Modified-Since, not modified',
    path: '/app/text.txt',
    headers: { HTTP_IF_MODIFIED_SINCE: LONG_AGO },
    status: 304,
    sent: '',
  },
  {
    what: 'HEAD, not modified',
    path: '/app/text.txt',
    method: 'HEAD',
    headers: { HTTP_IF_MODIFIED_SINCE: LONG_AGO },
    status: 304,
    sent: '',
  },
  {
    what: 'If-Match that matches',
    path: '/app/text.txt',
    headers: { HTTP_IF_MATCH: 'W/"14-3e8"' },
    status: 200,
    sent: TEXT,
  },
  { what: 'If-Match that does not', path: '/app/text.txt', headers: { HTTP_IF_MATCH: '"x"' }, status: 412 },
  {
    what: 'If-Unmodified-Since, modified',
    path: '/app/text.txt',
    headers: { HTTP_IF_UNMODIFIED_SINCE: 'Thu, 01 Jan 1970 00:00:00 GMT' },
    status: 412,
  },
  ...(
    [
      ['bytes=2-4', '234', 'bytes 2-4/20'],
      ['bytes=18-', 'ij', 'bytes 18-19/20'],
      ['bytes=-3', 'hij', 'bytes 17-19/20'],
      ['bytes=5-999', TEXT.slice(5), 'bytes 5-19/20'],
      ['bytes=0-0', '0', 'bytes 0-0/20'],
      ['bytes=2-4,3-6', '23456', 'bytes 2-6/20'],
    ] as const
  ).map(([range, sent, contentRange]) => ({
    what: `Range ${range}`,
    path: '/app/text.txt',
    headers: { HTTP_RANGE: range },
    status: 206,
    sent,
    has: { 'Content-Range': contentRange, 'Content-Length': String(sent.length) },
  })),
  ...['bytes=2-4,8-9', 'bytes=x', 'lines=1-2', 'bytes=4-2'].map((range) => ({
    what: `Range ${range}, which it may ignore`,
    path: '/app/text.txt',
    headers: { HTTP_RANGE: range },
    status: range === 'bytes=4-2' ? 416 : 200,
  })),
  {
    what: 'a Range behind the end',
    path: '/app/text.txt',
    headers: { HTTP_RANGE: 'bytes=20-' },
    status: 416,
    has: { 'Content-Range': 'bytes */20' },
  },
  {
    what: 'a Range for HEAD',
    path: '/app/text.txt',
    method: 'HEAD',
    headers: { HTTP_RANGE: 'bytes=2-4' },
    status: 200,
    has: { 'Content-Length': '20' },
  },
  {
    what: 'If-Range that matches',
    path: '/app/text.txt',
    headers: { HTTP_RANGE: 'bytes=2-4', HTTP_IF_RANGE: 'W/"14-3e8"' },
    status: 206,
    sent: '234',
  },
  {
    what: 'If-Range that does not',
    path: '/app/text.txt',
    headers: { HTTP_RANGE: 'bytes=2-4', HTTP_IF_RANGE: '"x"' },
    status: 200,
    sent: TEXT,
  },
  {
    what: 'If-Range, with a date',
    path: '/app/text.txt',
    headers: { HTTP_RANGE: 'bytes=2-4', HTTP_IF_RANGE: LONG_AGO },
    status: 206,
    sent: '234',
  },
];

describe('viaduct:static', () => {
  let folder = '';
  let root = '';

  before(async () => {
    folder = await makeTempDir();
    root = join(folder, 'files');
    for (const name of ['', 'sub', 'bare', '.git']) mkdirSync(join(root, name));
    const files: Record<string, string> = {
      'text.txt': TEXT,
      'empty.css': '',
      noextension: 'x',
      '\u00e9 %41.txt': 'accent',
      'index.html': 'index',
      'sub/index.html': 'sub index',
      'sub/other.txt': 'other',
      'about.html': 'about',
      '.env': 'secret',
      '.git/x': 'secret',
    };
    for (const [name, content] of Object.entries(files)) writeFileSync(join(root, name), content);
    writeFileSync(join(folder, 'outside.txt'), 'outside');
    utimesSync(join(root, 'text.txt'), 1, 1);
    symlinkSync('../outside.txt', join(root, 'link.txt'));
    symlinkSync('nothing', join(root, 'broken'));
    symlinkSync('circle', join(root, 'circle'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
  });
  after(() => removeTempDir(folder));
  afterEach(() => waitFor(() => openFiles().length === 0, { what: `${root} to be closed` }));

  const openFiles = (): string[] =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const target = readlinkSync(`/proc/self/fd/${fd}`);
        return target.startsWith(folder) ? [target] : [];
      } catch {
        // The descriptor of readdir() itself.
        return [];
      }
    });

  const stand = (options: object = {}, seen = new Seen()): Promise<Stand> =>
    Stand.make(seen.app, [['viaduct:static', { root, ...options }]], '/app');

  for (const { what, path, options = {}, headers = {}, method = 'GET', status, sent, has = {} } of CASES) {
    it(`${status} for ${what}`, async () => {
      const answer = await (await stand(options)).get(path, headers, { method });
      expect(Number(answer.status.slice(0, 3))).to.equal(status);
      if (sent !== undefined) expect(answer.sent).to.equal(sent);
      for (const [name, value] of Object.entries(has)) expect(answer.header(name), name).to.equal(value);
    });
  }

  it('leaves the environ to the application as it was', async () => {
    const [seen, bare] = [new Seen(), new Seen()];
    await (await stand({}, seen)).get('/app/none');
    await (await Stand.make(bare.app, [], '/app')).get('/app/none');
    const plain = (environ: Environ | null): unknown =>
      Object.entries(environ ?? {}).filter(([name]) => !name.includes('.'));
    expect(plain(seen.environ)).to.deep.equal(plain(bare.environ));
  });

  it('tells the log of what it may not read', async () => {
    const files = await stand();
    await files.get('/app/circle');
    expect(files.events.lines.join()).to.match(/^viaduct:static: Error: ELOOP: .*\/circle/);
  });

  it('hands the file to wsgi.file_wrapper', async () => {
    const seen = new Seen();
    const wrapped: unknown[] = [];
    const files = await Stand.make(seen.app, [['viaduct:static', { root }]], '/app');
    const spy = await Stand.make(seen.app, [['viaduct:static', { root }]], '/app', (environ) => {
      const real = environ['wsgi.file_wrapper'];
      environ['wsgi.file_wrapper'] = (file, size) => {
        wrapped.push(file);
        return real(file, size);
      };
    });
    expect((await spy.get('/app/text.txt')).sent).to.equal((await files.get('/app/text.txt')).sent);
    expect(wrapped).to.have.lengthOf(1);
  });

  it('closes the file of a client that leaves', async () => {
    writeFileSync(join(root, 'large.bin'), Buffer.alloc(1 << 20));
    const files = await stand();
    const exchange: FakeExchange = files.begin({ path: '/app/large.bin', blocked: true });
    await waitFor(() => exchange.sent.length > 0, { what: 'the first block' });
    expect(openFiles()).to.deep.equal([join(root, 'large.bin')]);
    exchange.leave();
    await files.settled();
    await waitFor(() => openFiles().length === 0, { what: 'the file to be closed' });
    expect(exchange.sent.length).to.equal(128 * 1024);
  });

  it('closes the file of a client that has left before it was open', async () => {
    const files = await stand();
    const exchange = files.begin({ path: '/app/text.txt' });
    exchange.leave();
    await files.settled();
    expect(exchange.sent).to.equal('');
  });

  it('never sends more than it has announced, however the file grows', async () => {
    const name = join(root, 'growing.log');
    writeFileSync(name, Buffer.alloc(300 * 1024, 'a'));
    const files = await stand();
    const exchange = files.begin({ path: '/app/growing.log', blocked: true });
    await waitFor(() => exchange.sent.length > 0, { what: 'the first block' });
    writeFileSync(name, Buffer.alloc(10, 'b'), { flag: 'a' });
    exchange.drain();
    await files.settled();
    expect([exchange.sent.length, exchange.sent.includes('b'), exchange.ended]).to.deep.equal([
      307_200,
      false,
      true,
    ]);
  });

  /** A request for `path`, where `change` comes between the first look at the file and its opening. */
  async function getChanged(path: string, change: () => void): Promise<FakeExchange> {
    const files = await stand();
    const { stat } = fs;
    const changing = (name: string, done: (error: Error | null, found: fs.Stats) => void): void => {
      fs.stat = stat;
      stat(name, (error, found) => {
        change();
        done(error, found);
      });
    };
    Object.assign(fs, { stat: changing });
    return files.get(path);
  }

  it('looks again where another file has taken the place of the one it looked at', async () => {
    const swap = join(root, 'swap.txt');
    writeFileSync(swap, 'old');
    const answer = await getChanged('/app/swap.txt', () => {
      writeFileSync(`${swap}.new`, 'a newer one');
      renameSync(`${swap}.new`, swap);
    });
    expect([answer.sent, answer.header('content-length')]).to.deep.equal(['a newer one', '11']);
  });

  it('looks again where the file is gone', async () => {
    const gone = join(root, 'gone.txt');
    writeFileSync(gone, 'x');
    expect((await getChanged('/app/gone.txt', () => unlinkSync(gone))).sent).to.equal(APP);
  });
});
