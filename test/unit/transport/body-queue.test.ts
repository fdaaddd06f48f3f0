import { expect } from 'chai';
import * as fc from 'fast-check';
import { GatewayError } from '../../../src/gateway/errors.ts';
import { BodyQueue } from '../../../src/transport/body-queue.ts';
import { patternBytes } from '../../helpers/pattern.ts';
import { BODY_HIGH_WATER, BODY_LOW_WATER } from '../../../src/transport/flow-control.ts';

const bytes = (size: number): Buffer => Buffer.alloc(size, 'b');

const codeOf = async (read: () => unknown): Promise<string> => {
  try {
    await read();
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
  return 'none';
};

/** Takes `sizes` in turn until the end. */
async function readAll(body: BodyQueue, sizes: readonly number[]): Promise<Uint8Array[]> {
  const got: Uint8Array[] = [];
  for (let turn = 0; ; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    const chunk = await body.take(size);
    if (chunk.length > 0) got.push(chunk);
    if (chunk.length < size) return got;
  }
}

describe('transport/body-queue', () => {
  let calls: string[];
  const queue = (declared: number): BodyQueue => {
    calls = [];
    return new BodyQueue(declared, {
      pause: () => void calls.push('pause'),
      resume: () => void calls.push('resume'),
      keep: (part) => part,
    });
  };

  it('take() gives exactly what was asked for, however it comes, of chunks that do not last', async () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 });
    const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 });
    const early = fc.nat({ max: 20 });
    const bursts = fc.integer({ min: 1, max: 6 });
    // Small reads are cut from what comes, large ones gathered; both in turn where it is 100.
    const scaled = fc
      .tuple(pieces, sizes, fc.constantFrom(1, 100, 200))
      .map(
        ([all, turns, scale]) =>
          [
            all.map((piece) => Buffer.from(Array.from({ length: scale }, () => [...piece]).flat())),
            turns.map((size) => size * scale),
          ] as const,
      );
    await fc.assert(
      fc.asyncProperty(scaled, early, bursts, fc.boolean(), async ([all, turns], before, burst, declares) => {
        const whole = Buffer.concat(all);
        const body = new BodyQueue(declares ? whole.length : -1, {
          pause: () => undefined,
          resume: () => undefined,
          keep: (part) => Buffer.from(part),
        });
        const shared = Buffer.alloc(40 * 200);
        const push = (piece: Uint8Array): void => {
          shared.set(piece);
          body.push(shared.subarray(0, piece.length));
          shared.fill(0);
        };
        all.slice(0, before).forEach(push);
        const reading = readAll(body, turns);
        for (const [at, piece] of all.slice(before).entries()) {
          push(piece);
          if (at % burst === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        body.end();
        const got = await reading;
        expect(Buffer.concat(got).equals(whole)).to.equal(true);
        for (const [at, chunk] of got.slice(0, -1).entries())
          expect(chunk.length).to.equal(turns[at % turns.length]);
      }),
    );
  });

  it('take() of another size has what was gathered for the last one', async () => {
    const whole = patternBytes(30_000);
    for (const next of [1, 4096, 8000, 20_000, 30_000]) {
      const body = queue(-1);
      const first = body.take(4096);
      body.push(whole.subarray(0, 9000));
      expect((await first).length).to.equal(4096);
      const second = body.take(next);
      body.push(whole.subarray(9000));
      body.end();
      const got = [await first, await second, ...(await readAll(body, [7777]))];
      expect(Buffer.concat(got).equals(whole)).to.equal(true);
      const third = queue(-1);
      const other = third.take(4096);
      third.push(whole.subarray(0, 9000));
      await other;
      expect((third.read() as Uint8Array).length).to.equal(4096);
      expect((third.read() as Uint8Array).length).to.equal(9000 - 2 * 4096);
    }
  });

  it('hands chunks over as they are, and then the end, again and again', async () => {
    const body = queue(6);
    const first = bytes(4);
    body.push(first);
    expect(body.read()).to.equal(first);
    const waiting = body.read();
    const second = bytes(2);
    body.push(second);
    expect(await waiting).to.equal(second);
    expect(body.complete).to.equal(true);
    expect([body.read(), body.read()]).to.deep.equal([null, null]);
  });

  it('an empty body is complete from the start', () => {
    expect(queue(0).complete).to.equal(true);
    expect(queue(0).read()).to.equal(null);
  });

  it('tells once that it is complete', () => {
    const body = queue(-1);
    let told = 0;
    body.onComplete = () => (told += 1);
    body.push(bytes(3));
    expect(told).to.equal(0);
    body.end();
    body.end();
    expect(told).to.equal(1);
  });

  it('pauses once at the high-water mark and resumes once at the low one', () => {
    const body = queue(-1);
    body.push(bytes(BODY_HIGH_WATER - 1));
    expect(calls).to.deep.equal([]);
    body.push(bytes(1));
    body.push(bytes(BODY_LOW_WATER));
    expect(calls).to.deep.equal(['pause']);
    void body.read();
    expect(calls).to.deep.equal(['pause']);
    void body.read();
    void body.read();
    expect(calls).to.deep.equal(['pause', 'resume']);
  });

  for (const how of ['discard', 'fail'] as const) {
    it(`${how}() lets the connection go on, and keeps nothing that comes later`, () => {
      const body = queue(-1);
      body.push(bytes(BODY_HIGH_WATER));
      if (how === 'discard') body.discard();
      else body.fail(new GatewayError('ERR_BODY_CLIENT_GONE', 'Gone'));
      body.push(bytes(BODY_HIGH_WATER));
      body.push(bytes(BODY_HIGH_WATER));
      expect(calls).to.deep.equal(['pause', 'resume']);
      expect(body.received).to.equal(3 * BODY_HIGH_WATER);
    });
  }

  it('an end before the declared length is an error for good, with what was received', async () => {
    const body = queue(10);
    body.push(bytes(4));
    body.end();
    expect(await codeOf(() => body.read())).to.equal('ERR_BODY_TRUNCATED');
    expect(await codeOf(() => body.read())).to.equal('ERR_BODY_TRUNCATED');
    expect(body.complete).to.equal(false);
  });

  it('keeps the first of two errors, and none after the end', async () => {
    const body = queue(10);
    body.fail(new GatewayError('ERR_BODY_TIMEOUT', 'Late'));
    body.fail(new GatewayError('ERR_BODY_CLIENT_GONE', 'Gone'));
    expect(await codeOf(() => body.read())).to.equal('ERR_BODY_TIMEOUT');
    const whole = queue(1);
    whole.push(bytes(1));
    whole.fail(new GatewayError('ERR_BODY_CLIENT_GONE', 'Gone'));
    expect(whole.read()).to.have.length(1);
    expect(whole.read()).to.equal(null);
  });

  it('measures the time of a read, not of the body', async () => {
    const body = queue(-1);
    body.timeout = 1000;
    body.tick(performance.now() + 5000);
    const waiting = codeOf(() => body.read());
    body.tick(performance.now() + 900);
    body.tick(performance.now() + 1100);
    expect(await waiting).to.equal('ERR_BODY_TIMEOUT');
  });

  it('waits for ever where the limit is 0', async () => {
    const body = queue(-1);
    const waiting = codeOf(() => body.read());
    body.tick(performance.now() + 1e9);
    body.end();
    expect(await waiting).to.equal('none');
  });

  it('gives a peer that saw headers two seconds, whatever the limit', async () => {
    const body = queue(-1);
    body.mayHaveStopped = true;
    const waiting = codeOf(() => body.read());
    body.tick(performance.now() + 1900);
    body.tick(performance.now() + 2100);
    expect(await waiting).to.equal('ERR_BODY_AFTER_HEADERS');
  });

  it('refuses what goes past the limit, and not what reaches it', async () => {
    const body = queue(-1);
    body.limit = 10;
    body.push(bytes(10));
    expect(body.read()).to.have.length(10);
    body.push(bytes(1));
    expect(await codeOf(() => body.read())).to.equal('ERR_BODY_TOO_LARGE');
  });
});
