// The examples for Node frameworks as their folders have them, each with its own viaduct.yaml and nginx.conf.
import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Daemon, startDaemon } from '../../helpers/daemon.ts';
import { type CallOptions, type HttpResponse, request } from '../../helpers/http-client.ts';
import { type Nginx, startNginx } from '../../helpers/nginx.ts';
import { projectRoot } from '../../helpers/project.ts';

type Ask = (options: CallOptions) => Promise<HttpResponse>;
interface Example {
  readonly name: string;
  readonly port: number;
  readonly does: string;
  check(ask: Ask): Promise<void>;
}

const post = (path: string, type: string, body: string): CallOptions => ({
  method: 'POST',
  path,
  headers: [['Content-Type', type]],
  body,
});

const EXAMPLES: readonly Example[] = [
  {
    name: 'express',
    port: 8093,
    does: 'shows a form, greets, and knows the client',
    async check(ask) {
      expect((await ask({ path: '/' })).text).to.include('action="/greet"');
      const greeted = await ask(post('/greet', 'application/x-www-form-urlencoded', 'name=Zo%C3%AB'));
      expect(greeted.text).to.equal('Hello, Zoë!\n');
      expect(JSON.parse((await ask({ path: '/me?x' })).text)).to.deep.equal({
        address: '127.0.0.1',
        protocol: 'http',
        url: '/me?x',
      });
    },
  },
  {
    name: 'fastify',
    port: 8094,
    does: 'adds up, and refuses what its schema does not allow',
    async check(ask) {
      expect((await ask({ path: '/' })).text).to.equal('{"hello":"from Fastify"}');
      expect((await ask(post('/sum', 'application/json', '[1,2,3.5]'))).text).to.equal('{"sum":6.5}');
      expect((await ask(post('/sum', 'application/json', '["x"]'))).status).to.equal(400);
    },
  },
];

describe('the examples for Node frameworks', () => {
  for (const example of EXAMPLES) {
    describe(example.name, () => {
      const folder = join(projectRoot, 'examples', example.name);
      let daemon: Daemon;
      let nginx: Nginx;

      before(async () => {
        daemon = await startDaemon({ config: configOf(folder) });
        nginx = await startNginx({ servers: frontOf(folder, example.port, daemon.socket('viaduct')) });
      });
      after(async () => {
        await nginx?.stop();
        await daemon?.remove();
      });

      it(example.does, async () => {
        await example.check((options) => request({ port: nginx.port, ...options }));
        expect(daemon.log().filter(({ level }) => level === 'error')).to.deep.equal([]);
      });
    });
  }
});

/** viaduct.yaml for another place. */
function configOf(folder: string): string {
  return readFileSync(join(folder, 'viaduct.yaml'), 'utf8')
    .replace('unix:run/viaduct.sock', 'unix:{{dir}}/viaduct.sock')
    .replace('run_dir: run', 'run_dir: "{{dir}}/run"')
    .replace('app: app.js', `app: ${join(folder, 'app.js')}`);
}

/** The http block of nginx.conf from its upstream on, likewise. */
function frontOf(folder: string, port: number, socket: string): string {
  const text = readFileSync(join(folder, 'nginx.conf'), 'utf8');
  return text
    .slice(text.indexOf('  upstream'), text.lastIndexOf('}'))
    .replace('unix:run/viaduct.sock', `unix:${socket}`)
    .replace('../../deploy', join(projectRoot, 'deploy'))
    .replace(`127.0.0.1:${port}`, '127.0.0.1:{{port}}');
}
