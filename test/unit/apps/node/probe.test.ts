// The choice of the technique at boot: what cannot give a real server's answer is not used, and a warning says so.
import { once } from 'node:events';
import { expect } from 'chai';
import { nodeApplication } from '../../../../src/apps/node/application.ts';
import { choose } from '../../../../src/apps/node/probe.ts';
import { servedApplication } from '../../../../src/apps/node/served.ts';
import type { NodeApp } from '../../../../src/apps/node/node-app.ts';
import type { Application } from '../../../../src/gateway/contract.ts';

/** As if a later Node had changed what the technique builds on. */
const broken =
  (change: (headers: [string, string][]) => [string, string][]) =>
  (app: NodeApp): Application =>
  (environ, startResponse) =>
    nodeApplication(app)(environ, (status, headers) => startResponse(status, change(headers)));

describe('apps/node/probe', () => {
  it('takes the fast technique on this version of Node', async () => {
    expect(await choose(nodeApplication)).to.equal(nodeApplication);
  });

  it('takes the stand-in, with a warning, where a header is lost', async () => {
    const warning = once(process, 'warning');
    expect(await choose(broken((headers) => headers.slice(1)))).to.equal(servedApplication);
    const [{ code, message }] = (await warning) as [{ code: string; message: string }];
    expect(code).to.equal('VIADUCT_NODE_FALLBACK');
    expect(message).to.include(process.version).and.include('X-Given');
  });

  it('takes the stand-in where the technique throws', async () => {
    const warning = once(process, 'warning');
    const failing = (): Application => () => {
      throw new Error('no such method');
    };
    expect(await choose(failing)).to.equal(servedApplication);
    expect(String((await warning)[0])).to.include('no such method');
  });
});
