// The WebSocket example with its own viaduct.yaml and the server block of its own nginx.conf: two people chat.
import { once } from 'node:events';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { type Example, startExample } from '../helpers/example.ts';

describe('examples/websocket', () => {
  let example: Example;

  before(async () => {
    example = await startExample('websocket');
  });
  after(() => example?.stop());

  it('serves its page', async () => {
    const { status, text } = await example.ask('/');
    expect(status).to.equal(200);
    expect(text).to.include("new URL('/chat'");
  });

  const open = async (): Promise<WebSocket> => {
    const socket = new WebSocket(`ws://127.0.0.1:${example.nginx.port}/chat`);
    await once(socket, 'open');
    return socket;
  };

  it('lets everybody hear what one says', async () => {
    const people = await Promise.all([open(), open()]);
    const heard = people.map((socket) => once(socket, 'message'));
    people[0]?.send('hello');
    for (const [text] of await Promise.all(heard)) expect(String(text)).to.equal('hello');
    for (const socket of people) socket.close();
  });

  it('has room for a thousand people', async () => {
    const people: WebSocket[] = [];
    try {
      while (people.length < 1000) people.push(...(await Promise.all(Array.from({ length: 50 }, open))));
      const heard = Promise.all(people.map((socket) => once(socket, 'message')));
      people[0]?.send('all of you');
      for (const [text] of await heard) expect(String(text)).to.equal('all of you');
    } finally {
      for (const socket of people) socket.terminate();
    }
  });
});
