// Sending connections and passing them on, with channels and handles that are fakes: order, ends, and who closes what.
import { expect } from 'chai';
import type { SendHandle } from 'node:child_process';
import { EventEmitter } from 'node:events';
import {
  type AdoptMessage,
  type Channel,
  giveTo,
  type HandoverMessage,
  Outbox,
  Relay,
  type Stop,
} from '../../../src/runtime/handover.ts';
import type { SocketHandle } from '../../../src/transport/handle.ts';

class FakeHandle implements SocketHandle {
  closes = 0;

  readStop(): number {
    return 0;
  }

  close(): void {
    this.closes += 1;
  }
}

/** A channel that answers when the test says so. */
class FakeChannel extends EventEmitter implements Channel {
  connected = true;
  readonly sent: { message: HandoverMessage | AdoptMessage; handle: unknown }[] = [];
  readonly #callbacks: ((error: Error | null) => void)[] = [];

  send(
    message: HandoverMessage | AdoptMessage,
    handle: SendHandle,
    _options: undefined,
    callback: (error: Error | null) => void,
  ): boolean {
    this.sent.push({ message, handle });
    this.#callbacks.push(callback);
    return true;
  }

  /** The oldest that was sent is on its way, or never will be. */
  answer(error: Error | null = null): void {
    this.#callbacks.shift()?.(error);
  }

  end(): void {
    this.connected = false;
    this.emit('disconnect');
  }
}

const handles = (count: number): FakeHandle[] => Array.from({ length: count }, () => new FakeHandle());
const message = { kind: 'handover', listener: 0, protocol: 'fastcgi' } as const;

describe('runtime/handover: Outbox', () => {
  let channel: FakeChannel;
  let outbox: Outbox;
  let returned: SocketHandle[];
  const send = (handle: SocketHandle): void => outbox.send(message, handle, (back) => returned.push(back));

  beforeEach(() => {
    channel = new FakeChannel();
    outbox = new Outbox(channel);
    returned = [];
  });

  it('sends one after the other, and closes its own end of each when that is on its way', () => {
    const all = handles(3);
    for (const handle of all) send(handle);
    for (const [index, handle] of all.entries()) {
      expect(channel.sent).to.have.lengthOf(index + 1);
      expect(channel.sent[index]).to.deep.equal({ message, handle });
      expect(outbox.size).to.equal(3 - index);
      expect(handle.closes).to.equal(0);
      channel.answer();
      expect(handle.closes).to.equal(1);
    }
    expect([outbox.size, returned.length]).to.deep.equal([0, 0]);
  });

  it('gives back what could not be sent, and goes on', () => {
    const [first, second] = handles(2) as [FakeHandle, FakeHandle];
    send(first);
    send(second);
    channel.answer(new Error('EPIPE'));
    expect(returned).to.deep.equal([first]);
    channel.answer();
    expect([first.closes, second.closes]).to.deep.equal([0, 1]);
  });

  it('gives back everything once when the channel ends', () => {
    const all = handles(3);
    for (const handle of all) send(handle);
    channel.end();
    expect(outbox.open).to.equal(false);
    expect(returned).to.deep.equal(all);
    // Node may still call back for the one that it had.
    channel.answer();
    channel.answer(new Error('closed'));
    const [late] = handles(1) as [FakeHandle];
    send(late);
    expect(returned).to.deep.equal([...all, late]);
    expect([...all, late].map(({ closes }) => closes)).to.deep.equal([0, 0, 0, 0]);
    expect([channel.sent.length, outbox.size]).to.deep.equal([1, 0]);
  });

  it('gives back at once what goes to a channel that had ended before', () => {
    channel.connected = false;
    outbox = new Outbox(channel);
    const all = handles(1);
    for (const handle of all) send(handle);
    expect([returned, channel.sent]).to.deep.equal([all, []]);
  });

  it('retire() keeps what is on its way, and gives back the rest', () => {
    const all = handles(3);
    for (const handle of all) send(handle);
    outbox.retire();
    expect(returned).to.deep.equal(all.slice(1));
    channel.answer();
    expect(all.map(({ closes }) => closes)).to.deep.equal([1, 0, 0]);
    expect([outbox.open, outbox.size, channel.sent.length]).to.deep.equal([false, 0, 1]);
  });

  it('empty() resolves when everything is on its way', async () => {
    await outbox.empty();
    let isEmpty = false;
    for (const handle of handles(2)) send(handle);
    const emptied = outbox.empty().then(() => (isEmpty = true));
    channel.answer();
    await Promise.resolve();
    expect(isEmpty).to.equal(false);
    channel.answer();
    await emptied;
    for (const handle of handles(2)) send(handle);
    const ended = outbox.empty();
    channel.end();
    await ended;
  });

  it('giveTo() says where a connection belongs, and closes what nobody takes', () => {
    const [first, second] = handles(2) as [FakeHandle, FakeHandle];
    giveTo(outbox, 3)(first, 'http');
    giveTo(outbox, 4)(second, null);
    expect(channel.sent[0]).to.deep.equal({
      message: { kind: 'handover', listener: 3, protocol: 'http' },
      handle: first,
    });
    channel.answer();
    expect(channel.sent[1]?.message).to.deep.equal({ kind: 'handover', listener: 4, protocol: null });
    channel.end();
    expect([first.closes, second.closes]).to.deep.equal([1, 1]);
  });
});

describe('runtime/handover: Relay', () => {
  let lost: number[];
  beforeEach(() => (lost = []));

  /** Routes to these in turn; null when there are no more. */
  const relayTo = (...stops: (Stop | null)[]): Relay =>
    new Relay({ route: () => stops.shift() ?? null, lost: (listener) => lost.push(listener) });

  it('passes a connection on as it is, to the place that its listener has there', () => {
    const channel = new FakeChannel();
    const [handle] = handles(1) as [FakeHandle];
    relayTo({ outbox: new Outbox(channel), listener: 5 }).pass({ listener: 2, protocol: 'fastcgi' }, handle);
    expect(channel.sent).to.deep.equal([
      { message: { kind: 'adopt', listener: 5, protocol: 'fastcgi' }, handle },
    ]);
    channel.answer();
    expect([handle.closes, lost]).to.deep.equal([1, []]);
  });

  it('tries the next worker where one is gone', () => {
    const [gone, dying, alive] = [new FakeChannel(), new FakeChannel(), new FakeChannel()];
    gone.connected = false;
    const [handle] = handles(1) as [FakeHandle];
    const stops = [gone, dying, alive].map((channel) => ({ outbox: new Outbox(channel), listener: 0 }));
    relayTo(...stops).pass({ listener: 0, protocol: null }, handle);
    dying.end();
    alive.answer();
    expect([gone, dying, alive].map(({ sent }) => sent.length)).to.deep.equal([0, 1, 1]);
    expect([handle.closes, lost]).to.deep.equal([1, []]);
  });

  it('closes a connection that has nowhere to go, and says so', () => {
    const [first, second] = handles(2) as [FakeHandle, FakeHandle];
    const relay = relayTo(null);
    relay.pass({ listener: 1, protocol: null }, first);
    const channel = new FakeChannel();
    channel.connected = false;
    const stop = { outbox: new Outbox(channel), listener: 0 };
    let routes = 0;
    new Relay({
      route: () => {
        routes += 1;
        return stop;
      },
      lost: (listener) => lost.push(listener),
    }).pass({ listener: 2, protocol: null }, second);
    expect([first.closes, second.closes, lost]).to.deep.equal([1, 1, [1, 2]]);
    expect(routes).to.equal(3);
  });

  it('counts a connection that did not come with its message as lost', () => {
    relayTo().pass({ listener: 6, protocol: null }, undefined);
    expect(lost).to.deep.equal([6]);
  });
});
