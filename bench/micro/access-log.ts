// A line of the access log, by what it has to say: what it adds to a request's CPU, but for the write itself, which is shared by
// the lines of a quarter of a second. Build, then: node dist/bench/micro/access-log.js
import { bench, do_not_optimize, run, summary } from 'mitata';
import { AccessChoice } from '../../src/observe/access-choice.ts';
import { type AccessEntry, putCombined, putJson } from '../../src/observe/access-log.ts';
import { LineBlock } from '../../src/observe/line-block.ts';

const ENTRY: AccessEntry = {
  time: Date.now(),
  requestId: 'a1b2c3d4e5f6-1k',
  mount: '/',
  remoteAddr: '192.0.2.7',
  method: 'GET',
  uri: '/hello?x=1',
  scheme: 'https',
  host: 'www.example.com',
  protocol: 'HTTP/2.0',
  upstream: 'fastcgi',
  status: 200,
  bytesIn: 0,
  bytesOut: 13,
  duration: 0.000123,
  queue: 0,
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
};
const TRACED: AccessEntry = {
  ...ENTRY,
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
};
const HOSTILE: AccessEntry = { ...ENTRY, uri: '/\u00ff"', userAgent: 'a\\b"c\n' };

const request = { mountName: '/', status: 200, duration: 1, aborted: null };
const choice = new AccessChoice({
  sample: 0.1,
  exclude: ['/healthz', '/static/*', '*.map'],
  silent: new Set(),
  slow: 2000,
});

const SIZE = 16 * 1024;
const block = new LineBlock(SIZE);

function line(put: (into: LineBlock, entry: AccessEntry) => void, entry: AccessEntry): void {
  put(block, entry);
  if (!block.endLine()) do_not_optimize(block.take());
}

summary(() => {
  bench('JSON', () => line(putJson, ENTRY));
  bench('JSON with a trace', () => line(putJson, TRACED));
  bench('JSON with fields to escape', () => line(putJson, HOSTILE));
  bench('combined', () => line(putCombined, ENTRY));
  bench('left out or not: three paths and a sample', () =>
    do_not_optimize(choice.wants(request, () => '/hello')),
  );
});

await run();
