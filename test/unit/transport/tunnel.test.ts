// The states of a tunnel over a connection in memory: open, half closed by either side, held up, destroyed, lost.
import { expect } from 'chai';
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { BODY_LOW_WATER } from '../../../src/transport/flow-control.ts';
import { Tunnel } from '../../../src/transport/tunnel.ts';
import { FakeLink } from '../../helpers/fake-link.ts';
import { waitFor } from '../../helpers/wait.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Tunnel', () => {
  let link: FakeLink;
  let tunnel: Tunnel;
  let heard: string[];

  beforeEach(() => {
    link = new FakeLink();
    tunnel = new Tunnel(link);
    heard = [];
    for (const event of ['end', 'finish', 'close', 'error']) tunnel.on(event, () => heard.push(event));
  });

  it('keeps what came before anybody reads, and counts it', async () => {
    tunnel.receive(Buffer.from('early '));
    tunnel.receive(Buffer.from('bird'));
    tunnel.receiveEnd();
    const chunks: Buffer[] = [];
    for await (const chunk of tunnel) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).to.equal('early bird');
    expect(tunnel.bytesRead).to.equal(10);
  });

  it('sends in order, what was corked at once, and counts it', async () => {
    tunnel.write('a');
    tunnel.cork();
    tunnel.write('b');
    tunnel.write('c');
    tunnel.uncork();
    await turn();
    expect(link.asked).to.deep.equal(['write a', 'write b|c']);
    expect(tunnel.bytesWritten).to.equal(3);
  });

  it('can be written to after the peer has ended its side', async () => {
    tunnel.resume();
    tunnel.receiveEnd();
    await once(tunnel, 'end');
    tunnel.receive(Buffer.from('too late'));
    tunnel.receiveEnd();
    tunnel.end('last');
    await once(tunnel, 'close');
    expect(heard).to.deep.equal(['end', 'finish', 'close']);
    expect(link.asked).to.deep.equal(['write last', 'end', 'destroy']);
    expect(tunnel.bytesRead).to.equal(0);
  });

  it('can be read after its own side has ended', async () => {
    tunnel.end();
    await once(tunnel, 'finish');
    tunnel.receive(Buffer.from('still here'));
    expect(String(tunnel.read())).to.equal('still here');
    expect(tunnel.destroyed).to.equal(false);
    tunnel.receiveEnd();
    await once(tunnel, 'close');
    expect(heard).to.deep.equal(['finish', 'end', 'close']);
  });

  it('tells of the end also who never reads', async () => {
    tunnel.receiveEnd();
    await once(tunnel, 'end');
  });

  it('holds the peer up once, and lets it on when it is read', async () => {
    tunnel.receive(Buffer.alloc(BODY_LOW_WATER));
    tunnel.receive(Buffer.alloc(1));
    expect(link.asked).to.deep.equal(['pause']);
    tunnel.resume();
    await waitFor(() => link.asked.includes('resume'), { what: 'the connection to be read again' });
    expect(link.asked).to.deep.equal(['pause', 'resume']);
  });

  it('holds the writer up while the connection is full', async () => {
    link.blocked = true;
    let done = false;
    tunnel.write('one', () => (done = true));
    tunnel.write('two');
    await turn();
    expect([done, link.asked]).to.deep.equal([false, ['write one']]);
    link.drain();
    await waitFor(() => link.asked.length === 2, { what: 'the second write' });
    expect([done, link.asked[1]]).to.deep.equal([true, 'write two']);
  });

  it('destroyed, ends the connection and hears no more', async () => {
    tunnel.destroy();
    await once(tunnel, 'close');
    tunnel.receive(Buffer.from('x'));
    tunnel.receiveEnd();
    expect(tunnel.lost()).to.equal(false);
    expect([heard, link.asked, tunnel.bytesRead]).to.deep.equal([['close'], ['destroy'], 0]);
  });

  it('lost while it is open, closes without an error', async () => {
    expect(tunnel.lost()).to.equal(true);
    await once(tunnel, 'close');
    expect(heard).to.deep.equal(['close']);
  });

  it('lost after one side only has ended, says so', async () => {
    tunnel.receiveEnd();
    expect(tunnel.lost()).to.equal(true);
    await once(tunnel, 'close');
  });

  it('lost after both sides have ended, leaves what came to who reads', async () => {
    tunnel.on('readable', () => undefined);
    tunnel.receive(Buffer.from('rest'));
    tunnel.receiveEnd();
    tunnel.end();
    await once(tunnel, 'finish');
    expect([tunnel.lost(), tunnel.destroyed]).to.deep.equal([false, false]);
    expect(String(tunnel.read())).to.equal('rest');
  });

  it('lost after both sides have ended, does not wait for who never reads', async () => {
    tunnel.receive(Buffer.from('rest'));
    tunnel.receiveEnd();
    tunnel.end();
    await once(tunnel, 'finish');
    expect([tunnel.lost(), tunnel.destroyed]).to.deep.equal([false, true]);
  });
});
