// The promise itself: a worker goes, another comes, in processes of their own behind a real nginx with kept-alive
// connections, and no client notices.
import { expect } from 'chai';
import { Agent } from 'node:http';
import { ask, DIALECTS, type Protocol } from '../../helpers/dialects.ts';
import { type HandoverPair, type Side, startHandoverPair } from '../../helpers/handover-pair.ts';
import { request } from '../../helpers/http-client.ts';
import {
  fastcgiLocation,
  httpLocation,
  keepaliveUpstream,
  type Nginx,
  serverBlock,
  startNginx,
} from '../../helpers/nginx.ts';
import { Peer } from '../../helpers/peer.ts';
import { waitFor } from '../../helpers/wait.ts';

const ROUNDS = 60;
const CLIENTS = 20;
const IDLE = 1000;
const PROTOCOLS = ['fastcgi', 'http'] as const;

/** No second try anywhere: what goes wrong between nginx and a worker is seen by the client. */
function configuration(pair: HandoverPair): { http: string; servers: string } {
  const address = (protocol: Protocol): string => {
    const found = pair.address(protocol);
    return found.kind === 'unix' ? `unix:${found.path}` : '';
  };
  const options = { keepConn: true, requestBuffering: false };
  const fastcgi = fastcgiLocation({ ...options, socket: 'fastcgi', extra: 'fastcgi_next_upstream off;' });
  const http = httpLocation({ ...options, socket: 'http', extra: 'proxy_next_upstream off;' });
  return {
    http: PROTOCOLS.map((protocol) => keepaliveUpstream(protocol, address(protocol), CLIENTS)).join(''),
    servers: serverBlock(fastcgi, 'fastcgi') + serverBlock(http, 'http'),
  };
}

describe('nginx: handing over', () => {
  let pair: HandoverPair;
  let nginx: Nginx | null;

  beforeEach(async () => {
    nginx = null;
    pair = await startHandoverPair(PROTOCOLS);
  });
  afterEach(async () => {
    await nginx?.stop();
    await pair.stop();
  });

  it(`costs none of ${2 * CLIENTS} clients a request in ${ROUNDS} rounds`, async function () {
    this.timeout(120_000);
    const side = (index: number): Side => pair.side(index);
    await side(0).serve();
    const front = await startNginx(configuration(pair));
    nginx = front;
    const pids = new Map<string, number>();
    const failures: string[] = [];
    const run = { over: false };

    /** One kept-alive client: GET and POST in turn, without pause. */
    const client = async (protocol: Protocol, number: number): Promise<void> => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (let turn = 0; !run.over; turn += 1) {
        const body = `${number} ${turn} `.repeat((turn % 7) * 400);
        const response = await request({
          agent,
          port: front.portOf(protocol),
          ...(turn % 2 === 1 && { method: 'POST', body }),
        });
        const wanted = turn % 2 === 1 ? body : '';
        if (response.status !== 200 || !response.complete || response.text !== wanted)
          failures.push(`${protocol} ${number} ${turn}: ${response.status} ${response.error?.message ?? ''}`);
        const pid = response.header('X-Pid') ?? '';
        pids.set(pid, (pids.get(pid) ?? 0) + 1);
      }
      agent.destroy();
    };
    const clients = PROTOCOLS.flatMap((protocol) =>
      Array.from({ length: CLIENTS }, (_, number) => client(protocol, number)),
    );
    let descriptors: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      await side(round + 1).serve();
      const served = pids.get(String(side(round + 1).child.pid)) ?? 0;
      expect(await side(round).leave()).to.equal(true);
      await waitFor(() => (pids.get(String(side(round + 1).child.pid)) ?? 0) >= served + 4 * CLIENTS, {
        what: 'the next worker to answer',
      });
      if (round < 4) descriptors = await pair.descriptors();
    }
    const after = await pair.descriptors();
    run.over = true;
    await Promise.all(clients);

    expect(failures).to.deep.equal([]);
    expect(pair.lost).to.equal(0);
    expect(pair.sides.flatMap(({ faults }) => faults)).to.deep.equal([]);
    expect((await front.errorLog()).match(/\[(warn|error|crit|alert)\].*/g)).to.equal(null);
    // nginx has opened one for each client at most, and none of them was ever closed.
    await side(ROUNDS).leave();
    const accepted = pair.sides.reduce((sum, each) => sum + each.accepted, 0);
    expect(accepted).to.be.within(2, 2 * CLIENTS);
    // ROUNDS and 4 are even: the same side served.
    for (const [index, count] of after.entries()) {
      expect(count).to.be.at.most((descriptors[index] ?? 0) + 2 * CLIENTS);
    }
  });

  it(`moves ${IDLE} idle connections, and leaves no descriptor behind`, async function () {
    this.timeout(60_000);
    const { fastcgi } = DIALECTS;
    const [old, next] = pair.sides;
    await old.serve();
    await next.serve();
    await next.leave();
    const before = await pair.descriptors();
    const peers: Peer[] = [];
    for (let index = 0; index < IDLE; index += 1) peers.push(await Peer.connect(pair.address('fastcgi')));
    const moved = async (side: typeof old, count: number): Promise<boolean> =>
      (await side.count()).connections === count;
    await waitFor(() => moved(old, IDLE), { what: 'all connections' });

    await next.serve();
    expect(await old.leave()).to.equal(true);
    await waitFor(() => moved(next, IDLE), { what: 'all connections to move' });
    for (const peer of peers) peer.send(ask(fastcgi, 'abc'));
    for (const peer of peers) {
      const answer = await peer.until(
        'the answer',
        (all) => fastcgi.answer(all)?.whole && fastcgi.answer(all),
      );
      expect(answer.body.toString()).to.equal('abc');
      expect(answer.headers.get('x-pid')).to.equal(String(next.child.pid));
    }
    for (const peer of peers) peer.destroy();
    await waitFor(() => moved(next, 0), { what: 'all connections to be closed' });
    await next.leave();
    await old.serve();
    await waitFor(async () => (await pair.descriptors()).join() === before.join(), {
      what: `descriptors ${before.join()}`,
    });
  });
});
