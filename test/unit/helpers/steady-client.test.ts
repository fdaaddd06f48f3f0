import { expect } from 'chai';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  expectSteady,
  startSteadyClient,
  type SteadyOptions,
  type SteadyReport,
} from '../../helpers/steady-client.ts';

type Answer = (body: string, response: ServerResponse, request: IncomingMessage) => void;

const right: Answer = (body, response, { method, url }) => {
  response.setHeader('X-Worker', '7');
  response.setHeader('X-Release', 'a');
  response.end(`${method} ${url}\n${body}`);
};

describe('the steady client', () => {
  let connections = 0;
  let most = 0;
  let now = 0;

  /** What it says of a server that answers each request with `answer`. */
  async function run(
    answer: Answer,
    options: Partial<SteadyOptions> = {},
    count = 20,
  ): Promise<SteadyReport> {
    connections = most = now = 0;
    const server = createServer((request, response) => {
      most = Math.max(most, (now += 1));
      response.on('close', () => (now -= 1));
      let body = '';
      request.setEncoding('latin1').on('data', (chunk: string) => (body += chunk));
      request.on('end', () => answer(body, response, request));
    }).on('connection', () => (connections += 1));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const client = startSteadyClient({ port, path: '/p', connections: 4, timeout: 500, ...options });
    try {
      await client.moreAnswers(count, 2000);
    } finally {
      await client.stop();
      server.close();
    }
    return client.stop();
  }

  it('asks GET and POST in turn, on connections that are kept', async () => {
    const methods = new Map<string, number>();
    const report = await run((body, response, request) => {
      methods.set(request.method ?? '', (methods.get(request.method ?? '') ?? 0) + 1);
      right(body, response, request);
    });
    expectSteady(report);
    expect(report.good).to.equal(report.sent);
    expect(connections).to.equal(4);
    expect(Math.abs((methods.get('GET') ?? 0) - (methods.get('POST') ?? 0))).to.be.at.most(1);
    expect([...report.workers]).to.deep.equal([['7', report.good]]);
    expect([...report.releases]).to.deep.equal([['a', report.good]]);
    expect(report.latency.p50).to.be.within(0, report.latency.p99);
    expect(report.latency.p99).to.be.at.most(report.latency.max);
  });

  it('holds its rate, counting the wait for a free connection as latency', async () => {
    const slow: Answer = (body, response, request) => setTimeout(() => right(body, response, request), 40);
    const report = await run(slow, { rate: 200, connections: 4 }, 60);
    expectSteady(report);
    // 4 connections and 40 ms each are 100 a second: half of what is asked.
    expect(report.latency.max).to.be.above(120);
    const free = await run(right, { rate: 200 }, 60);
    expect(free.sent / free.seconds).to.be.within(150, 230);
  });

  it('asks on all of its connections at a time without a rate', async () => {
    await run((body, response, request) => setTimeout(() => right(body, response, request), 10), {}, 20);
    expect(most).to.equal(4);
  });

  const FAULTS: readonly [name: string, answer: Answer, wanted: RegExp][] = [
    ['another status', (_body, response) => response.writeHead(502).end(), /status 502/],
    ['another body', (_body, response) => response.end('x'), /another body: "x"/],
    [
      'a body that is cut short',
      (_body, response) =>
        response.writeHead(200, { 'content-length': 9 }).write('x', () => response.destroy()),
      /cut short/,
    ],
    ['no answer', (_body, response) => response.destroy(), /ECONNRESET/],
    ['an answer that does not come', () => undefined, /no answer within 500 ms/],
  ];

  for (const [name, spoiled, wanted] of FAULTS) {
    it(`reports ${name}, and goes on`, async () => {
      const report = await run((body, response, request) => {
        if (request.url === '/p?n=6') spoiled(body, response, request);
        else right(body, response, request);
      });
      expect(report).to.include({ failed: 1, good: report.sent - 1 });
      expect(report.failures[0]).to.include({ request: 'POST /p?n=6' });
      expect(report.failures[0]?.what).to.match(wanted);
      expect(() => expectSteady(report)).to.throw(/of \d+ requests 1 failed/);
    });
  }

  it('stops by itself', async () => {
    const report = await run(
      (body, response, request) => setTimeout(() => right(body, response, request), 300),
      { maxTime: 200 },
      4,
    );
    expect(report.sent).to.equal(4);
  });
});
