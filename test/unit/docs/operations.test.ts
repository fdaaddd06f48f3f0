// docs/operations.md is true: its metrics are those of /metrics, its access log fields those of a line.
import { expect } from 'chai';
import { jsonLine } from '../../../src/observe/access-log.ts';
import { DROP_REASONS } from '../../../src/observe/listener-metrics.ts';
import { Metrics } from '../../../src/observe/metrics.ts';
import { SupervisorMetrics } from '../../../src/observe/supervisor-metrics.ts';
import { sampleStatus } from '../../helpers/status.ts';
import { codeWordsOf, type Page, readPage, tableRowsOf, userPages } from '../../helpers/markdown.ts';

interface Family {
  readonly name: string;
  readonly type: string;
  readonly values: readonly { readonly labels: object }[];
}

/** Families of a process where everything has happened once. */
async function families(): Promise<Family[]> {
  const metrics = new Metrics({ version: '1' });
  const mount = metrics.mount('/');
  mount.queued();
  mount.dequeued(0);
  mount.requestStarted();
  mount.requestFinished('GET', 200, 0.1, 1, 1);
  const listener = metrics.listener('127.0.0.1:1', 'fastcgi');
  listener.accepted();
  listener.protocolError('bad_version');
  listener.dropped('not_allowed');
  const worker = {
    kind: 'node',
    slot: 0,
    state: 'ready',
    residentBytes: 1,
    cpuSeconds: 1,
    statsAge: 1,
  } as const;
  const supervisor = new SupervisorMetrics(metrics.registry, () => [worker]);
  supervisor.spawned('node');
  return (await metrics.registry.getMetricsAsJSON()).map((family) => ({
    name: family.name,
    type: String(family.type),
    values: family.values as Family['values'],
  }));
}

const OURS = /^(viaduct|http_server)_/;
const page = readPage('docs/operations.md');
const unquoted = (cell = ''): string => cell.replaceAll('`', '');

const metricsOf = (each: Page): string[] =>
  codeWordsOf(each).filter((word) => /^(viaduct|http_server|nodejs|process)_[a-z0-9_]+[a-z0-9]$/.test(word));

describe('docs/operations.md', () => {
  const rows = tableRowsOf(page);

  it('has one row for every metric, with its type and labels', async () => {
    const real = (await families())
      .filter(({ name }) => OURS.test(name))
      .map(({ name, type, values }) => {
        const labels = new Set(
          values.flatMap((value) => Object.keys(value.labels)).filter((label) => label !== 'le'),
        );
        return `${name} ${type} ${[...labels].join(', ')}`;
      });
    const written = rows
      .filter(([name]) => OURS.test(unquoted(name)))
      .map(([name, type, labels]) => `${unquoted(name)} ${type} ${labels}`);
    expect(written).to.have.members(real);
    expect(real.length).to.be.greaterThan(29);
  });

  it('names every reason for which connections are dropped', () => {
    const [, , , text = ''] =
      rows.find(([name]) => unquoted(name) === 'viaduct_connections_dropped_total') ?? [];
    expect(DROP_REASONS.filter((reason) => !text.includes(`\`${reason}\``))).to.deep.equal([]);
  });

  it('has one row for every field of the access log, in their order', () => {
    const line = jsonLine({
      time: 0,
      requestId: 'r',
      mount: '/',
      remoteAddr: '127.0.0.1',
      remoteUser: 'u',
      method: 'GET',
      uri: '/',
      protocol: 'HTTP/1.1',
      upstream: 'fastcgi',
      status: 200,
      bytesIn: 0,
      bytesOut: 0,
      duration: 0,
      queue: 0,
      aborted: 'sending',
      userAgent: 'a',
      referer: 'r',
    });
    const fields = Object.keys(JSON.parse(line) as object);
    const start = rows.findIndex(([name]) => name === '`time`');
    expect(rows.slice(start, start + fields.length).map(([name]) => unquoted(name))).to.deep.equal(fields);
  });
});

describe('docs/operations.md on /status.json', () => {
  /** `a.b` of objects, `a[].b` of their lists; names of plots only once. */
  const namesOf = (value: unknown, path: string): string[] => {
    if (Array.isArray(value)) return value.flatMap((each) => namesOf(each, `${path}[]`));
    if (typeof value !== 'object' || value === null) return [path];
    return Object.entries(value).flatMap(([key, each]) =>
      namesOf(each, path === '' ? key : `${path}.${key}`),
    );
  };

  it('names every field', () => {
    const words = new Set(
      tableRowsOf(page)
        .filter((row) => row.length === 2)
        .flatMap((row) => [...row.join(' ').matchAll(/`([^`]+)`/g)].map(([, word = '']) => word)),
    );
    const names = namesOf(sampleStatus(), '').filter((name) => !name.endsWith('[]'));
    const missing = names.filter((name) => {
      const parts = name.split('.');
      const last = parts.at(-1) ?? '';
      return !words.has(name) && !words.has(last) && !words.has(parts.slice(-2).join('.'));
    });
    expect([...new Set(missing)]).to.deep.equal([]);
    expect(names.length).to.be.greaterThan(80);
  });
});

describe('metrics in the pages', () => {
  it('exist', async () => {
    const known = (await families()).map(({ name }) => name);
    const pages = userPages();
    expect(pages.flatMap((each) => metricsOf(each).filter((name) => !known.includes(name)))).to.deep.equal(
      [],
    );
    expect(pages.flatMap(metricsOf).length).to.be.greaterThan(20);
  });
});
