// What a middleware can do wrong between two lints: rule 53.
import type { Application, Body } from '../../../../src/gateway/contract.ts';
import { bytes, serve } from '../../../helpers/mini-gateway.ts';
import { answer } from './case.ts';
import type { LintCase } from './case.ts';

type Change = (body: AsyncIterable<Uint8Array>) => Body;

function appOf(...texts: string[]): Application {
  return (environ, startResponse) => answer(yieldAll(texts))(environ, startResponse);
}

async function* yieldAll(texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    yield bytes(text);
  }
}

/** A middleware that changes an async body and closes it after. */
function changing(change: Change): (app: Application) => Application {
  return (app) => (environ, startResponse) => {
    const body = app(environ, startResponse) as AsyncIterable<Uint8Array> & { close(): PromiseLike<void> };
    return Object.assign(change(body), { close: () => body.close() });
  };
}

async function* joined(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const item of body) {
    all.push(item);
  }
  yield Buffer.concat(all);
}

async function* late(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const item of body) {
    all.push(item);
  }
  yield* all;
}

async function* skipping(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const item of body) {
    if (item[0] !== 0x62) {
      yield item;
    }
  }
}

async function* emptied(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const item of body) {
    yield item[0] === 0x62 ? bytes('') : item;
  }
}

async function* doubled(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const item of body) {
    yield item;
    yield item;
  }
}

/** Asks for the next item while the one before is on its way out. */
async function* readingAhead(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]();
  for (let step = await iterator.next(); step.done !== true;) {
    const next = iterator.next();
    yield step.value;
    step = await next;
  }
}

/** Takes all of a sync body before it yields. */
function* lateSync(body: Iterable<Uint8Array>): Generator<Uint8Array> {
  const all = [...body];
  yield* all;
}

const syncApp: Application = (environ, startResponse) =>
  answer(['a', 'b', 'c'].map(bytes).values())(environ, startResponse);

function holdingBack(app: Application): Application {
  return (environ, startResponse) => {
    const body = app(environ, startResponse) as Iterable<Uint8Array> & { close(): void };
    return Object.assign(lateSync(body), { close: () => body.close() });
  };
}

function waits(what: string, change: Change, ...texts: string[]): LintCase {
  return {
    rule: 53,
    what,
    outcome: 'warns',
    run: (wrap) => serve(wrap(changing(change)(wrap(appOf(...texts))))),
  };
}

export const WAIT_CASES: LintCase[] = [
  waits('two items become one', joined, 'a', 'b'),
  waits('items are held back until all are there', late, 'a', 'b', 'c'),
  {
    rule: 53,
    what: 'items of a sync body are held back until all are there',
    outcome: 'warns',
    run: (wrap) => serve(wrap(holdingBack(wrap(syncApp)))),
  },
  waits('an item is left out', skipping, 'a', 'b', 'c'),
];

const twice =
  (app: Application): Application =>
  async (environ, startResponse) => {
    const first = await app(environ, startResponse);
    await first.close?.();
    return app(environ, (status, headers) => startResponse(status, headers, new Error('again')));
  };

/** Middleware that keeps the rule; run with lint outside and inside, over "a", "b", "c". */
export const PATIENT: { what: string; middleware: (app: Application) => Application; text: string }[] = [
  { what: 'passes the body on', middleware: (app) => (environ, start) => app(environ, start), text: 'abc' },
  { what: 'yields empty items for the ones it drops', middleware: changing(emptied), text: 'ac' },
  { what: 'yields more items', middleware: changing(doubled), text: 'aabbcc' },
  { what: 'reads one item ahead', middleware: changing(readingAhead), text: 'abc' },
  { what: 'calls its application twice', middleware: twice, text: 'abc' },
];

export const abc: Application = (environ, startResponse) => appOf('a', 'b', 'c')(environ, startResponse);
