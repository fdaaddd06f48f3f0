// What the gateway tells of requests that are not over: to who asks, and of slow ones by itself.
import { expect } from 'chai';
import type { Application } from '../../../src/gateway/contract.ts';
import { FakeBody } from '../../helpers/fake-exchange.ts';
import {
  answering,
  makeMount,
  Stage,
  stageFor,
  stockParams,
  texts,
  WatchedBody,
} from '../../helpers/fake-gateway.ts';
import { waitFor } from '../../helpers/wait.ts';

const never: Application = () => new Promise(() => undefined);
const reading: Application = async (environ, start) => {
  await environ['wsgi.input'].read();
  return answering(texts('read'))(environ, start);
};

describe('gateway, what runs', () => {
  it('is told with id, path, age, bytes and what it is about', async () => {
    const streaming = new WatchedBody('four', () => new Promise(() => undefined));
    const stage = new Stage(
      makeMount(never, { path: '/app', name: 'app', requests: 1 }),
      makeMount(reading, { path: '/read', name: 'read' }),
      makeMount(answering(streaming), { path: '/send', name: 'send' }),
    );
    const startedAt = performance.now() - 1000;
    const params = ['REQUEST_URI', '/app/x?y=%20', 'HTTP_X_REQUEST_ID', 'given'];
    const exchanges = [
      stage.handle({ path: '/app/x', params, startedAt }),
      stage.handle({ path: '/app/queued', method: 'PUT', startedAt }),
      stage.handle({ path: '/read', method: 'POST', body: new FakeBody(5), startedAt }),
      stage.handle({ path: '/send', startedAt }),
    ];
    await waitFor(() => stage.gateway.running().some(({ bytesOut }) => bytesOut > 0), { what: 'a byte' });
    const running = stage.gateway.running();
    expect(
      running.map(({ mount, phase, method, uri, bytesOut }) => [mount, phase, method, uri, bytesOut]),
    ).to.deep.equal([
      ['app', 'running', 'GET', '/app/x?y=%20', 0],
      ['app', 'queued', 'PUT', '/app/queued', 0],
      ['read', 'reading', 'POST', '/read', 0],
      ['send', 'sending', 'GET', '/send', 4],
    ]);
    expect(running[0]?.requestId).to.equal('given');
    for (const { age } of running) expect(age).to.be.within(1000, 6000);
    expect(running[1]?.queued).to.be.within(0.001, 5000);
    expect(running[0]?.queued).to.equal(0);
    for (const exchange of exchanges) exchange.leave();
    expect(stage.gateway.running().map(({ phase }) => phase)).to.include('closing');
  });

  it('has a path also where the peer sent no REQUEST_URI', () => {
    const stage = stageFor(never);
    const params = ['SCRIPT_NAME', '', 'PATH_INFO', '/p', 'REQUEST_URI', '', 'QUERY_STRING', 'a=b'];
    const all = stockParams('GET', '/p', params);
    const without = all.filter((_, at) => all[at - (at % 2)] !== 'REQUEST_URI');
    stage.handleRaw({ params: without });
    expect(stage.gateway.running()[0]?.uri).to.equal('/p?a=b');
  });
});

describe('gateway, slow requests', () => {
  it('are told once while they run, and not before', () => {
    const stage = stageFor(never);
    stage.events.slowAfter = 2000;
    const startedAt = performance.now();
    stage.handle({ path: '/slow', startedAt });
    // Not 2000: that sum is rounded, now and then upwards.
    stage.gateway.tick(startedAt + 1999);
    expect(stage.events.slow).to.deep.equal([]);
    stage.gateway.tick(startedAt + 2001);
    stage.gateway.tick(startedAt + 9000);
    expect(stage.events.slow.map(({ uri, phase, age }) => [uri, phase, Math.round(age)])).to.deep.equal([
      ['/slow', 'running', 2001],
    ]);
  });

  it('are not told with 0, nor once they are over', async () => {
    const stage = stageFor(never);
    const startedAt = performance.now();
    const exchange = stage.handle({ startedAt });
    stage.gateway.tick(startedAt + 1e9);
    stage.events.slowAfter = 2000;
    exchange.leave();
    expect(stage.gateway.active).to.equal(1);
    stage.gateway.tick(startedAt + 1e9);
    expect(stage.events.slow).to.deep.equal([]);
  });

  it('that run too long are told, and then ended', async () => {
    const stage = stageFor(never, { requestTimeout: 1000 });
    stage.events.slowAfter = 500;
    const startedAt = performance.now();
    const exchange = stage.handle({ startedAt });
    stage.gateway.tick(startedAt + 1000);
    expect(stage.events.slow).to.have.lengthOf(1);
    expect(exchange.status).to.equal('504 Gateway Timeout');
  });
});
