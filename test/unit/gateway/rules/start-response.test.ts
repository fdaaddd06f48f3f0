// PEP 3333, "The start_response() Callable": what it takes and refuses, and when status and headers travel.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application, HeaderList, StartResponse } from '../../../../src/gateway/contract.ts';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  answering,
  PLAIN,
  run,
  stageFor,
  texts,
  WatchedBody,
  WatchedSyncBody,
} from '../../../helpers/fake-gateway.ts';
import { bytes, untyped } from '../../../helpers/mini-gateway.ts';

/** The codes of what the application got thrown at it, call by call; "" where a call was accepted. */
async function attempts(...calls: readonly ((start: StartResponse) => unknown)[]): Promise<string[]> {
  const codes: string[] = [];
  await run((environ, start) => {
    for (const call of calls) {
      try {
        call(start);
        codes.push('');
      } catch (error) {
        codes.push(String((error as { code?: unknown }).code));
      }
    }
    return answering([])(environ, (status, headers) => start(status, headers, new Error('replaced')));
  });
  return codes;
}

const refused = async (status: unknown, headers: unknown = []): Promise<string> =>
  (await attempts((start) => start(untyped(status), untyped(headers))))[0] ?? 'none';

describe('PEP 3333, start_response()', () => {
  it('rule 30: takes two or three positional arguments and gives write()', async () => {
    const call =
      (...args: unknown[]) =>
      (start: StartResponse) =>
        (start as (...all: unknown[]) => unknown)(...args);
    const many = ['200 OK', [], null, 1];
    expect(await attempts(call(), call('200 OK'), call(...many), call('200 OK', [], null))).to.deep.equal([
      'ERR_GATEWAY_ARGUMENTS',
      'ERR_GATEWAY_ARGUMENTS',
      'ERR_GATEWAY_ARGUMENTS',
      '',
    ]);
    const app: Application = (_environ, start) => {
      expect(start('200 OK', [])).to.be.a('function');
      return [];
    };
    expect((await run(app)).events.errors).to.deep.equal([]);
  });

  it('rule 31: the status is three digits, one space and a reason', async () => {
    for (const status of ['200 OK', '404 Not Found', '299 \xe9', '599 x', "200 It's (fine)"]) {
      const { exchange } = await run(answering([], [], status));
      expect(exchange.status).to.equal(status);
    }
    const bad = ['', '200', '200 ', '200OK', '20 OK', '2000 OK', ' 200 OK', '200 OK ', '200  OK', '200\tOK'];
    for (const status of [...bad, '099 x', '100 Continue', '199 x', '600 x', 'abc OK', '-20 OK', 200, null]) {
      expect(await refused(status), String(status)).to.equal('ERR_GATEWAY_STATUS');
    }
  });

  it('rule 31: the status has no control character, at its end neither', async () => {
    for (const code of [...Array(32).keys(), 127]) {
      const control = String.fromCharCode(code);
      for (const status of [`200 O${control}K`, `200 OK${control}`, `200${control}OK`, `${control}200 OK`]) {
        expect(await refused(status), JSON.stringify(status)).to.equal('ERR_GATEWAY_STATUS');
      }
    }
    expect(await refused('200 OK\r\nSet-Cookie: a=b')).to.equal('ERR_GATEWAY_STATUS');
  });

  it('rule 32: headers are a real Array of pairs of strings', async () => {
    const good: HeaderList = [['A', 'b']];
    const bad = [null, {}, 'A: b', new Set(good), new Map(good), { length: 0 }, [['A']], [[]]];
    for (const headers of [
      ...bad,
      [['A', 'b', 'c']],
      ['Ab'],
      [null],
      [['A', 1]],
      [[1, 'b']],
      [['A', null]],
    ]) {
      expect(await refused('200 OK', headers), JSON.stringify(headers)).to.equal('ERR_GATEWAY_HEADERS');
    }
    expect(await refused('200 OK', good)).to.equal('');
  });

  it('rule 33: a header name is a token, without colon or space', async () => {
    const bad = ['', 'A:', 'A b', ' A', 'A ', 'A\n', 'A\r\nB', 'A\0', 'Ä', '€', '(A)', 'A"', 'A,B', 'A/B'];
    for (const name of bad) {
      expect(await refused('200 OK', [[name, 'x']]), name).to.equal('ERR_GATEWAY_HEADERS');
    }
    expect(await refused('200 OK', [["X-!#$%&'*+.^_`|~9", 'x']])).to.equal('');
  });

  it('rule 33: a header value has no control character, embedded or at its end', async () => {
    for (const code of [...Array(32).keys(), 127]) {
      const control = String.fromCharCode(code);
      for (const value of [`a${control}b`, `a${control}`, control]) {
        expect(await refused('200 OK', [['A', value]]), JSON.stringify(value)).to.equal(
          'ERR_GATEWAY_HEADERS',
        );
      }
    }
    expect(await refused('200 OK', [['A', 'a\r\nSet-Cookie: b=c']])).to.equal('ERR_GATEWAY_HEADERS');
    const { exchange } = await run(answering([], [['A', '\x80\xff "~']]));
    expect(exchange.header('A')).to.equal('\x80\xff "~');
  });

  it('rule 34: a character past latin-1 in status or header is an error', async () => {
    expect(await refused('200 €')).to.equal('ERR_GATEWAY_STATUS');
    expect(await refused('200 OK', [['A', '€']])).to.equal('ERR_GATEWAY_HEADERS');
    expect(await refused('200 OK', [['A', 'Ā']])).to.equal('ERR_GATEWAY_HEADERS');
    expect(await refused('200 OK', [['A', '😀']])).to.equal('ERR_GATEWAY_HEADERS');
  });

  it('rule 35: checks when startResponse is called, so that the application sees the error and may answer', async () => {
    const app: Application = (_environ, start) => {
      try {
        start('200 OK', [['A', 'a\nb']]);
      } catch (error) {
        start('400 Bad Request', PLAIN.slice(), error as Error);
      }
      return texts('no');
    };
    const { exchange, events } = await run(app);
    expect([exchange.status, exchange.sent, events.errors]).to.deep.equal(['400 Bad Request', 'no', []]);
  });

  it('rule 36: hop-by-hop headers are an error, in any case', async () => {
    const names = 'connection keep-alive proxy-authenticate proxy-authorization te trailer trailers';
    for (const name of [...names.split(' '), 'transfer-encoding', 'upgrade', 'Transfer-Encoding', 'TE']) {
      expect(await refused('200 OK', [[name, 'x']]), name).to.equal('ERR_GATEWAY_HOP_BY_HOP');
    }
    expect((await run(answering(texts('a'), [['Connection', 'close']]))).exchange.status).to.equal(
      '500 Internal Server Error',
    );
  });

  it('rule 37: header names count in any case', async () => {
    const { exchange } = await run(answering(texts('abcdef'), [['cOnTeNt-LeNgTh', '3']]));
    expect([exchange.sent, exchange.headers]).to.deep.equal(['abc', [['cOnTeNt-LeNgTh', '3']]]);
    expect(
      await refused('200 OK', [
        ['Content-Length', '1'],
        ['content-length', '1'],
      ]),
    ).to.equal('ERR_GATEWAY_HEADERS');
    expect(await refused('200 OK', [['STATUS', '1']])).to.equal('ERR_GATEWAY_HEADERS');
  });

  it('rule 37: adds the length where it knows it, and leaves Date and Server to the web server', async () => {
    const { exchange } = await run(answering(texts('a')));
    expect(exchange.headers).to.deep.equal([
      ['Content-Type', 'text/plain'],
      ['Content-Length', '1'],
    ]);
  });

  it('rule 38: headers travel with the first non-empty chunk, not with startResponse nor an empty one', async () => {
    const seen: string[][] = [];
    const look = (text: string) => (): Uint8Array => {
      seen.push([...exchange.wire]);
      return bytes(text);
    };
    const stage = stageFor(async (environ, start) => {
      await Promise.resolve();
      return answering(new WatchedBody(look(''), look(''), look('a'), look('')))(environ, start);
    });
    const exchange = stage.handle();
    await stage.settled();
    expect(seen).to.deep.equal([[], [], [], ['head 200 OK', 'write a']]);
    expect(exchange.wire).to.deep.equal(['head 200 OK', 'write a', 'end']);
  });

  it('rule 38: ... or at exhaustion', async () => {
    for (const body of [new WatchedBody('', ''), new WatchedSyncBody(''), [], texts('')]) {
      expect((await run(answering(body))).exchange.wire).to.deep.equal(['head 200 OK', 'end']);
    }
  });

  it('rule 38: ... or with the first write(), even of nothing', async () => {
    const wires: string[][] = [];
    const stage = stageFor(async (_environ, start) => {
      await Promise.resolve();
      const write = start('200 OK', []);
      wires.push([...exchange.wire]);
      await write(bytes(''));
      wires.push([...exchange.wire]);
      return [];
    });
    const exchange = stage.handle();
    await stage.settled();
    expect(wires).to.deep.equal([[], ['head 200 OK']]);
    expect(exchange.wire).to.deep.equal(['head 200 OK', 'end']);
  });

  it('rule 39: a second call without excInfo is an error', async () => {
    const ok = (start: StartResponse): unknown => start('200 OK', []);
    expect(await attempts(ok, ok)).to.deep.equal(['', 'ERR_GATEWAY_STARTED_TWICE']);
    const app: Application = (environ, start) => {
      start('200 OK', []);
      return answering(texts('a'))(environ, start);
    };
    const { exchange, events } = await run(app);
    expect(exchange.status).to.equal('500 Internal Server Error');
    expect(events.codes).to.deep.equal(['ERR_GATEWAY_STARTED_TWICE']);
  });

  it('rule 39: ... even if the first call was refused', async () => {
    const ok = (start: StartResponse): unknown => start('200 OK', []);
    const bad = (start: StartResponse): unknown => start('oops', []);
    expect(await attempts(bad, ok)).to.deep.equal(['ERR_GATEWAY_STATUS', 'ERR_GATEWAY_STARTED_TWICE']);
  });

  it('rule 40: with excInfo and headers unsent, status and headers are replaced wholly', async () => {
    const app: Application = (_environ, start) => {
      start('200 OK', [
        ['Set-Cookie', 'a=b'],
        ['Content-Length', '100'],
      ]);
      start('503 Busy', [['X-Why', 'error']], new Error('late'));
      return texts('sorry');
    };
    const { exchange } = await run(app);
    expect(exchange.status).to.equal('503 Busy');
    expect(exchange.headers).to.deep.equal([
      ['X-Why', 'error'],
      ['Content-Length', '5'],
    ]);
  });

  it('rule 41: with excInfo and headers sent, the given error itself is thrown', async () => {
    const reason = new Error('mine');
    let caught: unknown;
    const app: Application = async (_environ, start) => {
      await start('200 OK', [])(bytes('a'));
      try {
        start('500 Oops', [], reason);
      } catch (error) {
        caught = error;
        throw error;
      }
      return [];
    };
    const { exchange, events } = await run(app);
    expect(caught).to.equal(reason);
    expect(events.errors).to.deep.equal([reason]);
    expect(exchange.wire).to.deep.equal(['head 200 OK', 'write a', 'abort app_error']);
  });

  it('rule 42: keeps no reference to excInfo', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    let reference: WeakRef<Error> | null = null;
    let start: StartResponse | null = null;
    await run((_environ, given) => {
      start = given;
      const reason = new Error('to be forgotten');
      reference = new WeakRef(reason);
      given('200 OK', [], reason);
      return [];
    });
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(start).to.be.a('function');
    expect((reference as WeakRef<Error> | null)?.deref()).to.equal(undefined);
  });

  it('rule 39: a null excInfo is none', async () => {
    const withNull = (start: StartResponse): unknown => start('200 OK', [], null);
    expect(await attempts(withNull, withNull)).to.deep.equal(['', 'ERR_GATEWAY_STARTED_TWICE']);
  });
});
