// What is remembered instead of checked or made again: param names, status lines, header names.
// Build, then: node dist/bench/micro/known.js
import { bench, do_not_optimize, run, summary } from 'mitata';
import { checkHeaders, checkStatus } from '../../src/gateway/headers.ts';
import { keepName, keptName, viewOf } from '../../src/protocol/names.ts';

const NAME = 'HTTP_ACCEPT_ENCODING';
const text = `..${NAME}..`.repeat(40);
const block = Buffer.from(text, 'latin1');
const view = viewOf(block);
const at = block.byteOffset + 2;
keepName(NAME, view, at);

class Target {
  [key: string]: number;
}

function asKey(name: string): Target {
  const target = new Target();
  target[name] = 1;
  return target;
}

summary(() => {
  bench('a param name, made and used as a key', () => do_not_optimize(asKey(text.slice(2, 2 + NAME.length))));
  bench('a param name, kept and used as a key', () =>
    do_not_optimize(asKey(keptName(view, at, NAME.length) ?? '')),
  );
});

// More of them than are remembered, so that each is checked; then one that is remembered.
const statuses = Array.from({ length: 4096 }, (_, index) => `200 OK ${index}`);
const lists = statuses.map((_, index): [string, string][] => [[`X-Header-${index}`, 'value']]);
for (const status of statuses) checkStatus(status);
for (const list of lists) checkHeaders(list, 4096);
let turn = 0;

summary(() => {
  bench('a status line, checked', () => do_not_optimize(checkStatus(statuses[2048 + (turn++ & 1023)])));
  bench('a status line, remembered', () => do_not_optimize(checkStatus(statuses[turn++ & 127])));
});
summary(() => {
  bench('a header, its name checked', () =>
    do_not_optimize(checkHeaders(lists[2048 + (turn++ & 1023)], 4096)),
  );
  bench('a header, its name remembered', () => do_not_optimize(checkHeaders(lists[turn++ & 127], 4096)));
});

await run();
