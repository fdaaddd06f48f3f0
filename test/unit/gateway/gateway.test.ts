// The gateway as a whole: the mount that answers and its keys, what is refused before an application is called, counting.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application } from '../../../src/gateway/contract.ts';
import { FakeBody } from '../../helpers/fake-exchange.ts';
import {
  answering,
  makeMount,
  run,
  Stage,
  type StageOptions,
  stageFor,
  stockParams,
  texts,
  WatchedBody,
  WatchedSyncBody,
} from '../../helpers/fake-gateway.ts';
import { bytes } from '../../helpers/mini-gateway.ts';

/** Answers with its mount and how the path was split. */
const where: Application = (environ, start) => {
  const { SCRIPT_NAME: script, PATH_INFO: path, 'viaduct.mount': mount } = environ;
  return answering([bytes(`${mount}: ${script} ${path}`)])(environ, start);
};

const at = (path: string, options: StageOptions = {}): ReturnType<typeof makeMount> =>
  makeMount(where, { path, name: path === '' ? '/' : path, ...options });

async function answersOf(
  mounts: readonly ReturnType<typeof makeMount>[],
  ...requests: readonly string[][]
): Promise<string[]> {
  const stage = new Stage(...mounts);
  const exchanges = requests.map((params) => stage.handleRaw({ params }));
  await stage.settled();
  return exchanges.map(({ status, sent }) => (status === '200 OK' ? sent : status));
}

describe('gateway, the mount', () => {
  it('splits the path at the mount, from either stock param file', async () => {
    const mounts = [at(''), at('/app')];
    for (const name of ['SCRIPT_NAME', 'PATH_INFO', 'DOCUMENT_URI', 'REQUEST_URI']) {
      const paths = ['/', '/app', '/app/', '/app/x', '/appx', '/x/app'];
      expect(await answersOf(mounts, ...paths.map((path) => [name, path]))).to.deep.equal([
        '/:  /',
        '/app: /app ',
        '/app: /app /',
        '/app: /app /x',
        '/:  /appx',
        '/:  /x/app',
      ]);
    }
  });

  it("keeps the front server's SCRIPT_NAME in front; mounts count from the root, then from below it", async () => {
    const front = (script: string, path: string): string[] => ['SCRIPT_NAME', script, 'PATH_INFO', path];
    const requests = [
      front('/front', '/app/x'),
      front('/front', '/x'),
      front('/app', '/x'),
      front('/app', '/sub/x'),
    ];
    expect(await answersOf([at(''), at('/app'), at('/app/sub')], ...requests)).to.deep.equal([
      '/app: /front/app /x',
      '/: /front /x',
      '/app: /app /x',
      '/app/sub: /app/sub /x',
    ]);
  });

  it("looks below the front server's SCRIPT_NAME too where no mount lies at the root", async () => {
    const params = ['SCRIPT_NAME', '/front', 'PATH_INFO', '/app/x'];
    const other = ['SCRIPT_NAME', '/front', 'PATH_INFO', '/x'];
    expect(await answersOf([at('/app')], params, other)).to.deep.equal([
      '/app: /front/app /x',
      '404 Not Found',
    ]);
  });

  it('goes by Host, and by SERVER_NAME where there is none', async () => {
    const mounts = [at('', { name: 'any' }), at('', { name: 'a', host: 'a.example' })];
    const requests = [
      ['HTTP_HOST', 'a.example:81'],
      ['HTTP_HOST', 'b.example', 'SERVER_NAME', 'a.example'],
      ['SERVER_NAME', 'a.example'],
      [],
    ];
    const answers = await answersOf(mounts, ...requests);
    expect(answers.map((text) => text.split(':')[0])).to.deep.equal(['a', 'any', 'a', 'any']);
  });

  it('gives a mount its own keys, which go before what the peer sent', async () => {
    let key: unknown;
    const app: Application = (environ, start) => {
      key = environ['API_KEY'];
      return where(environ, start);
    };
    await run(app, { params: ['API_KEY', 'peer'] }, { env: [['API_KEY', 'mine']] });
    expect(key).to.equal('mine');
  });

  it('tells the transport the limits of the mount', async () => {
    const limits = { bodySize: 1, bodyTimeout: 2, sendTimeout: 3 };
    expect((await run(where, {}, { limits })).exchange.limits).to.deep.equal(limits);
  });

  it('answers 404 where no mount has the path, and counts it for none', async () => {
    const stage = new Stage(at('/app'));
    const exchange = stage.handle({ path: '/' });
    await stage.settled();
    expect([exchange.status, exchange.limits]).to.deep.equal(['404 Not Found', null]);
    expect(stage.events.warnings).to.deep.equal(['Refused request with 404: no mount has its path']);
    expect(stage.events.requests.map(({ mountName, status }) => [mountName, status])).to.deep.equal([
      ['', 404],
    ]);
    const counted = stage.noMount.requestSamples().filter(({ value }) => value > 0);
    expect(counted.map(({ labels }) => labels['code'])).to.deep.equal(['404']);
  });
});

describe('gateway, what is refused before the application', () => {
  it('answers 400 to params it cannot take, with an id', async () => {
    const stage = stageFor(where);
    for (const params of [
      ['REQUEST_METHOD', 'G T'],
      ['SCRIPT_NAME', 'x'],
    ]) {
      const exchange = stage.handleRaw({ params: stockParams('GET', '/', params) });
      expect(exchange.status).to.equal('400 Bad Request');
      expect(exchange.sent).to.match(/^400 Bad Request\n\nRequest id: [0-9a-f]{12}-[0-9a-z]+\n$/);
    }
    await stage.settled();
    expect(stage.events.requests.map(({ mountName }) => mountName)).to.deep.equal(['', '']);
  });

  it('answers 413 to a body whose declared length is over the limit, none to one just at it', async () => {
    const limits = { bodySize: 3, bodyTimeout: 0, sendTimeout: 0 };
    const over = await run(where, { body: new FakeBody(4) }, { limits });
    expect(over.exchange.status).to.equal('413 Payload Too Large');
    expect(over.events.warnings).to.deep.equal([
      'Refused request with 413: the body has 4 bytes or more, limits.body_size is 3',
    ]);
    expect((await run(where, { body: 'abc' }, { limits })).exchange.status).to.equal('200 OK');
    const open = { bodySize: 0, bodyTimeout: 0, sendTimeout: 0 };
    expect((await run(where, { body: new FakeBody(1e12) }, { limits: open })).exchange.status).to.equal(
      '200 OK',
    );
  });

  it('refuses headers over limits.response_headers_size', async () => {
    const headers: [string, string][] = [['X', 'y'.repeat(95)]];
    const { events } = await run(answering([], headers), {}, { responseHeadersSize: 99 });
    expect(events.codes).to.deep.equal(['ERR_GATEWAY_HEADERS_SIZE']);
    expect((await run(answering([], headers), {}, { responseHeadersSize: 100 })).exchange.status).to.equal(
      '200 OK',
    );
  });
});

describe('gateway, what it counts and says', () => {
  it('tells status, bytes and times of each request', async () => {
    const app: Application = async (environ, start) => {
      await environ['wsgi.input'].read();
      return answering(texts('four'))(environ, start);
    };
    const { events, stage } = await run(app, {
      method: 'POST',
      body: 'abc',
      startedAt: performance.now() - 50,
    });
    const [request] = events.requests;
    expect(request).to.include({
      mountName: '/',
      protocol: 'fake',
      status: 200,
      bytesIn: 3,
      bytesOut: 4,
      queued: 0,
      aborted: null,
    });
    expect(request?.duration).to.be.within(50, 5000);
    const { metrics } = stage.mount;
    expect([metrics.bytesIn, metrics.bytesOut]).to.deep.equal([3, 4]);
    const counted = metrics.requestSamples().filter(({ value }) => value > 0);
    expect(counted.map(({ labels, value }) => [labels['method'], labels['code'], value])).to.deep.equal([
      ['POST', '200', 1],
    ]);
  });

  it('counts no bytes for what never went out', async () => {
    const { events } = await run(answering(texts('four')), { method: 'HEAD' });
    expect(events.requests[0]?.bytesOut).to.equal(0);
    const error = await run(() => {
      throw new Error('x');
    });
    expect(error.events.requests[0]?.bytesOut).to.equal(error.exchange.sent.length);
  });

  it('takes X-Request-ID over, and makes one where there is none', async () => {
    const ids: string[] = [];
    const app: Application = (environ, start) => {
      ids.push(environ['viaduct.request_id']);
      return where(environ, start);
    };
    await run(app, { params: ['HTTP_X_REQUEST_ID', 'abc'] });
    await run(app);
    expect(ids[0]).to.equal('abc');
    expect(ids[1]).to.match(/^[0-9a-f]{12}-[0-9a-z]+$/);
  });

  it('resolves drained() for all who wait, once nothing runs, and at once when nothing does', async () => {
    const stage = stageFor(answering(new WatchedBody('a', 'b')));
    await stage.gateway.drained();
    const exchange = stage.handle({ blocked: true });
    await new Promise((resolve) => setImmediate(resolve));
    expect(stage.gateway.active).to.equal(1);
    const waits = [stage.gateway.drained(), stage.gateway.drained()];
    exchange.drain();
    await Promise.all(waits);
    expect(stage.gateway.active).to.equal(0);
    await stage.settled();
  });

  it('ends all that runs at shutdown', async () => {
    const stage = stageFor((...args) => answering(new WatchedSyncBody('a', 'b'))(...args));
    const exchanges = [1, 2, 3].map(() => stage.handle({ blocked: true }));
    stage.gateway.shutdown();
    await stage.settled();
    expect(exchanges.map(({ ended }) => ended)).to.deep.equal([false, false, false]);
    expect(stage.events.codes).to.deep.equal(Array(3).fill('ERR_GATEWAY_SHUTDOWN'));
  });

  it('looks at deadlines only when told the time, and not before they come', async () => {
    const stage = stageFor(() => new Promise(() => undefined), { requestTimeout: 1000 });
    const startedAt = performance.now();
    const exchange = stage.handle({ startedAt });
    stage.gateway.tick(startedAt + 999);
    expect([exchange.closed, stage.mount.metrics.timeouts]).to.deep.equal([false, 0]);
    stage.gateway.tick(startedAt + 1000);
    expect(stage.mount.metrics.timeouts).to.equal(1);
    expect(exchange.status).to.equal('504 Gateway Timeout');
    expect(stage.events.errors.map(String)).to.deep.equal([
      'GatewayError: The request took longer than timeouts.request, 1000 ms',
    ]);
    const endless = stageFor(() => new Promise(() => undefined));
    const waiting = endless.handle();
    endless.gateway.tick(1e12);
    expect(waiting.closed).to.equal(false);
    waiting.leave();
  });
});
