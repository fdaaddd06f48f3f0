// viaduct.upgrade through the gateway, over an exchange in memory: when it may be called, and how a tunnel ends.
/* oxlint-disable unicorn/consistent-function-scoping -- an application stands beside what is expected of it */
import { expect } from 'chai';
import type { Application, Environ, Tunnel } from '../../../src/gateway/contract.ts';
import { GatewayError } from '../../../src/gateway/errors.ts';
import { type FakeExchange, FakeBody } from '../../helpers/fake-exchange.ts';
import { type RequestOptions, run, type Stage, stageFor } from '../../helpers/fake-gateway.ts';

const ASKS: RequestOptions = { tunnels: true, params: ['HTTP_UPGRADE', 'echo'] };

function upgrade(environ: Environ): Tunnel {
  const call = environ['viaduct.upgrade'];
  if (call === undefined) throw new Error('viaduct.upgrade is not there');
  return call();
}

const codeOf = (action: () => unknown): string => {
  try {
    action();
    return 'none';
  } catch (error) {
    return error instanceof GatewayError ? error.code : String(error);
  }
};

interface Open {
  readonly stage: Stage;
  readonly exchange: FakeExchange;
  readonly tunnel: Tunnel;
  readonly environ: Environ;
}

function open(): Open {
  const seen: { tunnel: Tunnel; environ: Environ }[] = [];
  const stage = stageFor((environ) => {
    seen.push({ tunnel: upgrade(environ), environ });
    return [];
  });
  const exchange = stage.handle(ASKS);
  const [first] = seen;
  if (first === undefined) throw new Error('The application was not called');
  return { stage, exchange, ...first };
}

describe('viaduct.upgrade', () => {
  it('is there for who asks, where the protocol carries tunnels', async () => {
    const offered: boolean[] = [];
    const app: Application = (environ, startResponse) => {
      offered.push('viaduct.upgrade' in environ);
      startResponse('204 No Content', []);
      return [];
    };
    await run(app, ASKS);
    await run(app, { ...ASKS, params: [] });
    await run(app, { ...ASKS, tunnels: false });
    expect(offered).to.deep.equal([true, false, false]);
  });

  it('is refused after startResponse()', async () => {
    let code = '';
    const { exchange } = await run((environ, startResponse) => {
      startResponse('204 No Content', []);
      code = codeOf(() => upgrade(environ));
      return [];
    }, ASKS);
    expect([code, exchange.status, exchange.tunnel]).to.deep.equal([
      'ERR_GATEWAY_STARTED_TWICE',
      '204 No Content',
      null,
    ]);
  });

  it('is refused a second time, and startResponse() after it', async () => {
    let codes: string[] = [];
    const { exchange } = await run((environ, startResponse) => {
      const tunnel = upgrade(environ);
      codes = [codeOf(() => upgrade(environ)), codeOf(() => startResponse('200 OK', []))];
      tunnel.destroy();
      return [];
    }, ASKS);
    expect(codes).to.deep.equal(['ERR_GATEWAY_STARTED_TWICE', 'ERR_GATEWAY_ENDED']);
    expect(exchange.wire).to.deep.equal(['head 101', 'gone']);
  });

  it('is refused when the request is over', async () => {
    let late: Environ | null = null;
    const stage = stageFor(async (environ) => {
      late = environ;
      await new Promise((resolve) => environ['viaduct.signal'].addEventListener('abort', resolve));
      return [];
    });
    stage.handle(ASKS).leave();
    await stage.settled();
    expect(codeOf(() => upgrade(late as unknown as Environ))).to.equal('ERR_GATEWAY_CLIENT_GONE');
  });

  it('is refused before the body has come', async () => {
    let code = '';
    const body = new FakeBody(3);
    await run(
      (environ, startResponse) => {
        code = codeOf(() => upgrade(environ));
        startResponse('204 No Content', []);
        return [];
      },
      { ...ASKS, body },
    );
    expect(code).to.equal('ERR_GATEWAY_UPGRADE');
  });

  it('takes no place of limits.requests, and counts bytes both ways', async () => {
    const { stage, exchange, tunnel } = open();
    expect([stage.mount.admission.running, stage.gateway.active]).to.deep.equal([0, 1]);
    exchange.tunnel?.receive(Buffer.from('four'));
    tunnel.write('seventy');
    tunnel.destroy();
    await stage.settled();
    const [request] = stage.events.requests;
    expect(request).to.include({ status: 101, bytesIn: 4, bytesOut: 7, aborted: null });
  });

  it('survives timeouts.request', async () => {
    const { stage, tunnel, exchange } = open();
    stage.gateway.tick(performance.now() + 1e9);
    expect([exchange.closed, tunnel.destroyed]).to.deep.equal([false, false]);
    tunnel.destroy();
    await stage.settled();
  });

  it('aborts the signal when the client leaves, which is no error', async () => {
    const { stage, exchange, environ } = open();
    exchange.leave();
    await stage.settled();
    expect(environ['viaduct.signal'].aborted).to.equal(true);
    expect(stage.events.errors).to.deep.equal([]);
    expect(stage.events.requests[0]).to.include({ status: 101, aborted: null });
  });

  it('emits "shutdown" once, and is cut off in the end', async () => {
    const { stage, exchange, tunnel } = open();
    let told = 0;
    tunnel.on('shutdown', () => (told += 1));
    stage.gateway.drain();
    stage.gateway.drain();
    await new Promise((resolve) => setImmediate(resolve));
    expect([told, tunnel.destroyed]).to.deep.equal([1, false]);
    stage.gateway.shutdown();
    await stage.settled();
    expect([exchange.aborted, tunnel.destroyed]).to.deep.equal(['shutdown', true]);
    expect(stage.events.codes).to.deep.equal([]);
    expect(stage.events.warnings).to.deep.equal([
      'Tunnel cut off: The server stopped before the response ended',
    ]);
  });

  it('emits "shutdown" also where the server began to stop before', async () => {
    let told = 0;
    const stage = stageFor((environ) => {
      stage.gateway.drain();
      const tunnel = upgrade(environ);
      tunnel.on('shutdown', () => {
        told += 1;
        tunnel.destroy();
      });
      return [];
    });
    stage.handle(ASKS);
    await stage.settled();
    expect(told).to.equal(1);
  });
});
