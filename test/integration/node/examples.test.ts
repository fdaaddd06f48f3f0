// The examples for Node frameworks behind nginx, mounted as their viaduct.yaml mounts them.
import { expect } from 'chai';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type Bridge, FASTCGI_KEEP, startBridge } from '../../helpers/bridge.ts';
import { type CallOptions, type HttpResponse } from '../../helpers/http-client.ts';
import { projectRoot } from '../../helpers/project.ts';

const NAMES = ['express', 'fastify'] as const;

describe('the examples for Node frameworks', () => {
  let bridge: Bridge;
  before(async () => {
    const mounts: Record<string, object> = {};
    for (const name of NAMES) {
      const folder = join(projectRoot, 'examples', name);
      const file = parse(await readFile(join(folder, 'viaduct.yaml'), 'utf8')) as {
        mounts: { app: string }[];
      };
      const [mount] = file.mounts;
      mounts[`/${name}`] = { ...mount, path: `/${name}`, app: join(folder, mount?.app ?? '') };
    }
    bridge = await startBridge({ ways: [FASTCGI_KEEP], mounts });
  });
  after(() => bridge?.stop());
  afterEach(() => bridge.expectQuietLogs());

  const ask = (options: CallOptions): Promise<HttpResponse> => bridge.request(FASTCGI_KEEP, options);
  const post = (path: string, type: string, body: string): Promise<HttpResponse> =>
    ask({ method: 'POST', path, headers: [['Content-Type', type]], body });

  it('express shows a form below its mount, greets, and knows the client', async () => {
    expect((await ask({ path: '/express' })).text).to.include('action="/express/greet"');
    const greeted = await post('/express/greet', 'application/x-www-form-urlencoded', 'name=Zo%C3%AB');
    expect(greeted.text).to.equal('Hello, Zoë!\n');
    expect(JSON.parse((await ask({ path: '/express/me?x' })).text)).to.deep.equal({
      address: '127.0.0.1',
      protocol: 'http',
      url: '/express/me?x',
    });
  });

  it('fastify adds up, and refuses what its schema does not allow', async () => {
    expect((await ask({ path: '/fastify/' })).text).to.equal('{"hello":"from Fastify"}');
    expect((await post('/fastify/sum', 'application/json', '[1,2,3.5]')).text).to.equal('{"sum":6.5}');
    expect((await post('/fastify/sum', 'application/json', '["x"]')).status).to.equal(400);
  });
});
