// The WebSocket example with its own viaduct.yaml and the server block of its own nginx.conf: two people chat.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { type Daemon, startDaemon } from '../helpers/daemon.ts';
import { request } from '../helpers/http-client.ts';
import { type Nginx, startNginx } from '../helpers/nginx.ts';
import { projectRoot } from '../helpers/project.ts';

const folder = join(projectRoot, 'examples/websocket');
const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

describe('examples/websocket', () => {
  let daemon: Daemon;
  let nginx: Nginx;

  before(async () => {
    daemon = await startDaemon({
      config: read('viaduct.yaml')
        .replace('unix:run/', 'unix:{{dir}}/')
        .replace('run_dir: run', 'run_dir: {{dir}}/run')
        .replace('app: server.js', `app: ${join(folder, 'server.js')}`),
    });
    const server = /^ {2}server \{[^]*?^ {2}\}/m.exec(read('nginx.conf'))?.[0] ?? '';
    nginx = await startNginx({
      servers: server
        .replace('127.0.0.1:8096', '127.0.0.1:{{port}}')
        .replace('unix:run/viaduct.sock', `unix:${daemon.socket('viaduct')}`)
        .replace('../../deploy', join(projectRoot, 'deploy')),
    });
  });
  after(async () => {
    await nginx?.stop();
    await daemon?.remove();
  });

  it('serves its page', async () => {
    const { status, text } = await request({ port: nginx.port, path: '/' });
    expect(status).to.equal(200);
    expect(text).to.include("new URL('/chat'");
  });

  it('lets everybody hear what one says', async () => {
    const open = async (): Promise<WebSocket> => {
      const socket = new WebSocket(`ws://127.0.0.1:${nginx.port}/chat`);
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
