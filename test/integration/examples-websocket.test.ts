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

  it('lets everybody hear what one says', async () => {
    const open = async (): Promise<WebSocket> => {
      const socket = new WebSocket(`ws://127.0.0.1:${example.nginx.port}/chat`);
      await once(socket, 'open');
      return socket;
    };
    const people = await Promise.all([open(), open()]);
    const heard = people.map((socket) => once(socket, 'message'));
    people[0]?.send('hello');
    for (const [text] of await Promise.all(heard)) expect(String(text)).to.equal('hello');
    for (const socket of people) socket.close();
  });
});
