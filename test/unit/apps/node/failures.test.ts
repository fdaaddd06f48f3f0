// What goes wrong: handlers that fail, clients that leave, apps that destroy; and where a request is below a mount.
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { expect } from 'chai';
import express from 'express';
import { nodeApplication } from '../../../../src/apps/node/application.ts';
import { recognize } from '../../../../src/apps/node/recognize.ts';
import { servedApplication } from '../../../../src/apps/node/served.ts';
import { request, startCall } from '../../../helpers/http-client.ts';
import { runApp } from '../../../helpers/node-app.ts';
import { waitFor } from '../../../helpers/wait.ts';
import { lint } from '../../../../src/gateway/lint.ts';
import { startWorker, type TestWorker } from '../../../helpers/worker.ts';

type Handler = (req: IncomingMessage, res: ServerResponse) => unknown;

for (const [name, adapt] of Object.entries({
  'the adapter': nodeApplication,
  'its stand-in': servedApplication,
})) {
  describe(`apps/node: failures under ${name}`, () => {
    let worker: TestWorker;
    let handler: Handler;
    let socketPath = '';

    before(async () => {
      const app = adapt(
        await recognize((req: IncomingMessage, res: ServerResponse) => handler(req, res), 'app'),
      );
      worker = await startWorker({ listeners: [{ protocol: 'http' }], mounts: [{ app }] });
      const address = worker.address();
      socketPath = address.kind === 'unix' ? address.path : '';
    });
    after(() => worker?.stop());
    beforeEach(() => worker.lines.splice(0));

    const errors = (): string[] =>
      worker.lines.filter(({ level }) => level === 'error').map((line) => JSON.stringify(line));

    const FAIL: Readonly<Record<string, Handler>> = {
      'throws at once': () => {
        throw new Error('as asked');
      },
      'throws after writeHead()': (_req, res) => {
        res.writeHead(200);
        throw new Error('as asked');
      },
      'is async and rejects': async () => {
        await Promise.resolve();
        throw new Error('as asked');
      },
      'destroys the response with an error': (_req, res) => res.destroy(new Error('as asked')),
      'destroys the request later': (req) => setImmediate(() => req.destroy(new Error('as asked'))),
    };
    for (const [what, fail] of Object.entries(FAIL)) {
      it(`answers 500 and logs once with a stack where a handler ${what}`, async () => {
        handler = fail;
        expect((await request({ socketPath })).status).to.equal(500);
        await waitFor(() => errors().length > 0, { what: 'the log' });
        expect(errors()).to.have.lengthOf(1);
        if (name === 'the adapter' || !what.startsWith('destroys'))
          expect(errors()[0]).to.include('as asked').and.include('failures.test');
      });
    }

    it('breaks off a response whose handler fails half-way', async () => {
      handler = (_req, res) => {
        res.write('half ');
        setTimeout(() => res.destroy(new Error('half-way')), 20);
      };
      const { status, complete } = await request({ socketPath });
      expect([status, complete]).to.deep.equal([200, false]);
    });

    it('tells req and res of a client that leaves, in the order of node:http', async () => {
      const seen: string[] = [];
      let error: unknown = null;
      handler = (req, res) => {
        for (const event of ['aborted', 'end', 'close']) req.on(event, () => seen.push(`req ${event}`));
        for (const event of ['finish', 'close']) res.on(event, () => seen.push(`res ${event}`));
        req.on('error', (reason) => (error = reason));
        req.socket.on('close', () => seen.push('socket close'));
        res.write('begun');
      };
      const call = startCall({ socketPath });
      await call.waitForBytes(5);
      call.abort();
      await waitFor(() => seen.includes('req close'), { what: 'the events' });
      expect(seen).to.have.members(['req aborted', 'req close', 'res close', 'socket close']);
      expect(seen[0]).to.equal('req aborted');
      expect(error).to.include({ code: 'ECONNRESET', message: 'aborted' });
    });

    it('goes on after all that', async () => {
      handler = (_req, res) => res.end('fine');
      expect((await request({ socketPath })).text).to.equal('fine');
    });
  });
}

describe('apps/node: below a mount', () => {
  const tell: Handler = (req, res) => {
    const { url, originalUrl, baseUrl } = req as IncomingMessage & { originalUrl?: string; baseUrl?: string };
    res.end(JSON.stringify({ url, originalUrl, baseUrl }));
  };
  const ask = async (handler: unknown, path: string, mount: string): Promise<unknown> => {
    const app = nodeApplication(await recognize(handler, 'app'));
    return JSON.parse((await runApp(app, { path }, { path: mount })).text);
  };
  const URLS: readonly [mount: string, path: string, url: string][] = [
    ['/api', '/api', '/'],
    ['/api', '/api?x=1', '/?x=1'],
    ['/api', '/api/a%2Fb?x=%20', '/a%2Fb?x=%20'],
    ['/api', '/%61pi/b', '/b'],
    ['/api', '/api//b/../c', '//b/../c'],
    ['/a b', '/a%20b/%E2%82%AC', '/%E2%82%AC'],
  ];
  for (const [mount, path, url] of URLS) {
    it(`shows ${path} of ${mount} as ${url}`, async () => {
      expect(await ask(tell, path, mount)).to.deep.equal({ url, originalUrl: path, baseUrl: mount });
    });
  }

  it('leaves a request at the root as it is', async () => {
    expect(await ask(tell, '/a%2Fb//c?d', '/')).to.deep.equal({ url: '/a%2Fb//c?d' });
  });

  it('is for Express what a mount of its own is', async () => {
    const router = express.Router();
    router.get('/b', (req, res) => {
      const { url, originalUrl, baseUrl, path } = req;
      res.json({ url, originalUrl, baseUrl, path });
    });
    const app = express().use('/a', router);
    expect(await ask(app, '/api/a/b?c', '/api')).to.deep.equal({
      url: '/b?c',
      originalUrl: '/api/a/b?c',
      baseUrl: '/api/a',
      path: '/b',
    });
  });

  it('is in the redirects of express.static', async () => {
    const app = nodeApplication(await recognize(express().use(express.static(process.cwd())), 'app'));
    const response = await runApp(app, { path: '/api/src' }, { path: '/api' });
    expect([response.status, response.header('location')]).to.deep.equal([301, '/api/src/']);
  });
});

describe('apps/node: with viaduct:lint around it', () => {
  it('keeps to the contract of the gateway, with a body in one piece and in several', async () => {
    const findings: string[] = [];
    const app = lint(
      nodeApplication(
        await recognize(async (req: IncomingMessage, res: ServerResponse) => {
          res.setHeader('Content-Type', 'text/plain');
          for await (const chunk of req) res.write(chunk);
          res.end(`${req.url} ends`);
        }, 'app'),
      ),
      { onWarning: (_rule, message) => void findings.push(message) },
    );
    expect((await runApp(app, { method: 'POST', path: '/x', body: 'body ' })).text).to.equal('body /x ends');
    expect((await runApp(app, { path: '/y' })).text).to.equal('/y ends');
    expect(findings).to.deep.equal([]);
  });
});
