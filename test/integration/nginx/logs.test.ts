// What the logs say of requests behind nginx: which have a line and what stands there, errors with their causes and sources,
// traces and spans.
import { join } from 'node:path';
import { expect } from 'chai';
import { type Bridge, FASTCGI_KEEP, fixtureApp, startBridge, UWSGI, type Way } from '../../helpers/bridge.ts';
import type { LogLine } from '../../helpers/daemon.ts';
import type { Headers } from '../../helpers/http-client.ts';
import { projectRoot } from '../../helpers/project.ts';
import { waitFor } from '../../helpers/wait.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';
const PARENT: Headers = [['traceparent', `00-${TRACE}-${CALLER}-01`]];
const SOURCE = join(projectRoot, 'test/fixtures/compiled/shop.ts');

interface Span {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

describe('the logs behind nginx', () => {
  let bridge: Bridge;

  before(async () => {
    bridge = await startBridge({
      ways: [FASTCGI_KEEP, UWSGI],
      mounts: {
        '/': 'answer',
        '/stray': 'stray',
        '/compiled': { app: SOURCE.replace(/ts$/, 'js') },
        '/traced': 'traced',
        '/quiet': { app: fixtureApp('answer'), access_log: false },
      },
      config: {
        log: {
          access: { file: '{{dir}}/access.log', exclude: ['/healthz', '/static/*'] },
          request_id_header: 'X-Amzn-Trace-Id',
        },
      },
    });
  });
  after(() => bridge.stop());

  const line = (id: string): Promise<LogLine> =>
    bridge.daemon.waitForAccess(({ request_id: found }) => found === id, `of request ${id}`);
  const failure = (id: string): Promise<LogLine> =>
    bridge.daemon.waitForLog(({ request_id: found }) => found === id, `of request ${id}`);
  const named = (id: string): [string, string] => ['X-Amzn-Trace-Id', id];
  const ask = (path: string, id: string, headers: Headers = [], way: Way = FASTCGI_KEEP): Promise<unknown> =>
    bridge.request(way, { path, headers: [named(id), ...headers] });

  it('have scheme, host, times and the name that the configured header gives', async () => {
    await ask('/x?y', 'Root=1-67', [['Host', 'shop.example']]);
    const found = await line('Root=1-67');
    expect(found).to.include({
      uri: '/x?y',
      scheme: 'http',
      host: 'shop.example',
      upstream: 'fastcgi',
      queue: 0,
    });
    expect(found['app']).to.equal(found['duration']);
  });

  it('cannot be forged by what a client sends', async () => {
    const evil = '","status":999}\\u000a{"x":"\u00ff\\" "-"';
    await ask('/%22%0a%0d?"\u00e9', 'forger', [
      ['User-Agent', evil],
      ['Referer', evil],
      ['traceparent', evil],
      ['tracestate', evil],
    ]);
    const found = await line('forger');
    expect(found).to.include({ status: 200, user_agent: evil, referer: evil });
    expect(found).not.to.have.property('x');
    await ask('/', `id with spaces "and quotes" ${'x'.repeat(200)}`);
    const other = (await bridge.daemon.accessLog()).filter(({ request_id: id }) =>
      String(id).includes('spaces'),
    );
    expect(other).to.deep.equal([]);
  });

  it('leave out paths and mounts that nobody wants to read of, but not their failures', async () => {
    await ask('/healthz', 'left-out');
    await ask('/static/a/b.css', 'left-out');
    await ask('/quiet/x', 'left-out');
    await ask('/static', 'last');
    await line('last');
    const found = (await bridge.daemon.accessLog()).filter(({ request_id: id }) => id === 'left-out');
    expect(found).to.deep.equal([]);
  });

  it('tell an error once, with its causes and the lines of its source', async () => {
    await ask('/compiled', 'compiled', PARENT, UWSGI);
    const found = await failure('compiled');
    const { type, message, stack } = found['err'] as { type: string; message: string; stack: string };
    expect([type, message]).to.deep.equal(['RangeError', 'no cheese today']);
    expect(found).to.include({
      mount: '/compiled',
      method: 'GET',
      uri: '/compiled',
      trace_id: TRACE,
      span_id: await spanOf(),
    });
    expect(stack)
      .to.contain(`at total (${SOURCE}:15:9)`)
      .and.to.contain(`at Object.application (${SOURCE}:10:10)`.replace('Object.', ''));
    expect(stack).to.contain('Caused by: Error: the van broke down\n');
    const lines = bridge.daemon.log().filter(({ request_id: id }) => id === 'compiled');
    expect(lines.length).to.equal(1);
    await bridge.expectQuietLogs({ viaduct: [/^Request failed: no cheese today$/] });
  });

  /** The span of the request named compiled: an SDK is registered in the same worker. */
  const spanOf = async (): Promise<string | undefined> => {
    const spans = await bridge.json<Span[]>(FASTCGI_KEEP, '/traced/spans');
    return spans.find(({ attributes }) => attributes['viaduct.request_id'] === 'compiled')?.spanId;
  };

  it('show what is no error, several at once, and what fails outside of requests', async () => {
    for (const how of ['string', 'undefined', 'several']) await ask(`/stray?${how}`, how);
    expect((await failure('string'))['err']).to.deep.equal({ type: 'string', message: "string 'a string'" });
    expect((await failure('undefined'))['err']).to.deep.equal({ type: 'undefined', message: 'undefined' });
    const { stack } = (await failure('several'))['err'] as { stack: string };
    expect(stack).to.contain('Error 1 of 2: Error: one\n').and.to.contain('Error 2 of 2: Error: two\n');
    for (const how of ['timer', 'promise']) {
      await ask(`/stray?${how}`, how);
      const fits = ({ err }: LogLine): boolean =>
        (err as { message?: string } | undefined)?.message === `in a ${how}`;
      const found = await bridge.daemon.waitForLog(fits, how);
      expect((found['err'] as { stack: string }).stack).to.contain('fixtures/apps/stray.js');
      expect(bridge.daemon.log().filter(fits).length).to.equal(1);
    }
    await bridge.expectQuietLogs({ viaduct: [/^Request failed: /, /^An application /] });
  });

  it('go with spans where an app has OpenTelemetry', async () => {
    const id = 'spanned';
    const response = await bridge.request(UWSGI, { path: '/traced/a?b=c', headers: [named(id), ...PARENT] });
    expect(response.text).to.equal(PARENT[0]?.[1]);
    const own = await waitFor(
      async () => {
        const spans = await bridge.json<Span[]>(FASTCGI_KEEP, '/traced/spans');
        const found = spans.find(({ attributes }) => attributes['viaduct.request_id'] === id);
        return found && { found, inner: spans.find(({ parent }) => parent === found.spanId) };
      },
      { what: 'the span' },
    );
    expect(own.found).to.include({ name: 'GET /traced', traceId: TRACE, parent: CALLER });
    expect(own.found.attributes).to.include({
      'url.path': '/traced/a',
      'url.query': 'b=c',
      'viaduct.mount': '/traced',
      'http.response.status_code': 200,
    });
    expect(own.inner).to.include({ name: 'of the app', traceId: TRACE });
    expect(await line(id)).to.include({ trace_id: TRACE, span_id: own.found.spanId });
    await bridge.expectQuietLogs();
  });
});
