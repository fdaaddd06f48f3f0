// Who may connect over TCP.
import { expect } from 'chai';
import { networkInterfaces } from 'node:os';
import { parseClientRange } from '../../../src/config/address.ts';
import { ask, DIALECTS, readFcgi } from '../../helpers/dialects.ts';
import { waitFor } from '../../helpers/wait.ts';
import { startWorker, type TestWorker } from '../../helpers/worker.ts';
import { hello } from './apps.ts';

const { fastcgi } = DIALECTS;
/** A listener there shows its IPv4 clients as ::ffff:127.0.0.1, as one on [::] does. */
const MAPPED = '::ffff:127.0.0.1';

const CASES: [host: string, ranges: string[], allowed: boolean][] = [
  ['127.0.0.1', ['127.0.0.1'], true],
  ['127.0.0.1', ['127.0.0.0/8'], true],
  ['127.0.0.1', ['10.0.0.0/8', '127.0.0.1/32'], true],
  ['127.0.0.1', ['10.0.0.0/8'], false],
  ['127.0.0.1', ['127.0.0.2'], false],
  ['127.0.0.1', ['::1'], false],
  ['127.0.0.1', [], false],
  ['::1', ['::1'], true],
  ['::1', ['::/64'], true],
  ['::1', ['fd00::/8'], false],
  ['::1', ['127.0.0.1'], false],
  ['::1', ['0.0.0.0/0'], false],
  [MAPPED, ['127.0.0.1'], true],
  [MAPPED, ['127.0.0.0/8'], true],
  [MAPPED, ['10.0.0.0/8'], false],
  [MAPPED, ['::1'], false],
];

describe('wire: allowed_clients', () => {
  const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
    all?.some(({ address }) => address === '::1'),
  );
  let worker: TestWorker;

  afterEach(async () => {
    await worker.stop();
    await worker.quiet();
  });

  for (const [host, ranges, allowed] of CASES) {
    if (host === '::1' && !hasIpv6) continue;
    it(`a client of ${host} is ${allowed ? 'served' : 'dropped'} where [${ranges.join(', ')}] may connect`, async () => {
      worker = await startWorker({
        listeners: [{ protocol: 'fastcgi', over: 'tcp', host, allowedClients: ranges.map(parseClientRange) }],
        mounts: [{ app: hello }],
      });
      const peer = await worker.connect();
      peer.send(ask(fastcgi, '', { keepConn: false }));
      const received = await peer.whole();
      expect(readFcgi(received)?.status).to.equal(allowed ? 200 : undefined);
      await waitFor(() => allowed || worker.dropped['not_allowed'] === 1, { what: 'the count' });
      expect(worker.requests.length).to.equal(allowed ? 1 : 0);
    });
  }

  it('is nobody’s business where it is not set', async () => {
    worker = await startWorker({
      listeners: [{ protocol: 'fastcgi', over: 'tcp' }],
      mounts: [{ app: hello }],
    });
    const peer = await worker.connect();
    peer.send(ask(fastcgi, '', { keepConn: false }));
    expect(readFcgi(await peer.whole())?.status).to.equal(200);
    expect(worker.dropped).to.deep.equal({});
  });
});
