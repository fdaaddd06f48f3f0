// What the bridge is meant to cost, beside what a run has measured.
import { honoNodeServer, viaductFetch } from './backends/fetch-apps.ts';
import { goFcgi } from './backends/go.ts';
import { nodeFastcgi, nodeHttp } from './backends/node.ts';
import { type NodeAppName, underNode, underViaduct } from './backends/node-apps.ts';
import { uwsgi } from './backends/python.ts';
import { viaductFastcgi, viaductLogging, viaductUwsgi } from './backends/viaduct.ts';
import { middle, ratio } from './lib/columns.ts';
import type { SeriesByCase } from './lib/report.ts';
import type { FigureName } from './lib/scenario.ts';
import { table } from './lib/table.ts';
import { withConnections } from './scenarios/connections.ts';
import { FASTCGI_TO_ENVIRON } from './scenarios/decode.ts';
import { IDLE_CONNECTIONS } from './scenarios/idle.ts';
import { METRICS_OF_A_HELLO } from './scenarios/metrics.ts';

/** What was measured, by the names of the scenarios. */
export type Results = ReadonlyMap<string, SeriesByCase>;

interface Target {
  readonly what: string;
  /** The name of the scenario that measures it. */
  readonly scenario: string;
  /** At most. */
  readonly wanted: number;
  readonly stretch?: number;
  readonly unit?: string;
  measured(byCase: SeriesByCase): number | undefined;
}

const FASTCGI = viaductFastcgi.name;
const UWSGI = viaductUwsgi.name;
const GUNICORN = 'gunicorn gthread';

/** CPU of one case against another's. */
function cpu(one: string, other: string): Target['measured'] {
  return (byCase) => {
    const series = byCase.get(one);
    const against = byCase.get(other);
    return series === undefined || against === undefined ? undefined : ratio(series, against, 'cpu');
  };
}

function figure(name: string, of: FigureName, scale: number): Target['measured'] {
  return (byCase) => {
    const series = byCase.get(name);
    const value = series === undefined ? undefined : middle(series, of);
    return value === undefined ? undefined : value * scale;
  };
}

/** Fewer connections than wanted say nothing. */
const idleRise: Target['measured'] = (byCase) =>
  figure(FASTCGI, 'idle', 1)(byCase) === IDLE_CONNECTIONS ? figure(FASTCGI, 'rise', 1e-6)(byCase) : undefined;

/** In percent. The figures are of two cases, whose rounds have nothing to do with one another. */
const metricsShare: Target['measured'] = (byCase) => {
  const metrics = figure(METRICS_OF_A_HELLO, 'call', 1)(byCase);
  const hello = figure(FASTCGI, 'cpu', 1)(byCase);
  return metrics === undefined || hello === undefined ? undefined : (100 * metrics) / hello;
};

const bulk = (what: string, scenario: string): Target => ({
  scenario,
  what: `${what}, FastCGI, CPU/GB : node:http`,
  wanted: 1,
  stretch: 0.8,
  measured: cpu(FASTCGI, nodeHttp.name),
});

const fetchApp = (what: string, app: string): Target => ({
  scenario: 'fetch-apps',
  what: `${what}, FastCGI keep-alive, CPU/request : @hono/node-server + proxy_pass`,
  wanted: 1,
  measured: cpu(viaductFetch(app).name, honoNodeServer(app).name),
});

const nodeApp = (app: NodeAppName, wanted: number): Target => ({
  scenario: 'node-apps',
  what: `${app} hello, FastCGI keep-alive, CPU/request : the same under node:http`,
  wanted,
  measured: cpu(underViaduct(app).name, underNode(app).name),
});

const TARGETS: readonly Target[] = [
  {
    scenario: 'hello',
    what: 'hello, FastCGI keep-alive, CPU/request : node:http + proxy_pass',
    wanted: 0.85,
    stretch: 0.7,
    measured: cpu(FASTCGI, nodeHttp.name),
  },
  {
    scenario: 'hello',
    what: 'the same : uWSGI',
    wanted: 0.85,
    stretch: 0.7,
    measured: cpu(FASTCGI, uwsgi.name),
  },
  {
    scenario: 'hello',
    what: 'the same : node-fastcgi',
    wanted: 0.1,
    measured: cpu(FASTCGI, nodeFastcgi.name),
  },
  {
    scenario: 'hello',
    what: 'the same : Go net/http/fcgi',
    wanted: 0.2,
    measured: cpu(FASTCGI, goFcgi.name),
  },
  {
    scenario: 'hello',
    what: 'hello, uwsgi_pass, CPU/request : uWSGI',
    wanted: 2.5,
    stretch: 1.5,
    measured: cpu(UWSGI, uwsgi.name),
  },
  bulk('100 MiB response, unbuffered', 'download'),
  bulk('100 MiB response, buffered', 'download-buffered'),
  bulk('100 MiB upload, unbuffered', 'upload'),
  bulk('100 MiB upload, buffered', 'upload-buffered'),
  {
    scenario: 'decode',
    what: "nginx's stock params (24 entries) into an environ",
    wanted: 2,
    stretch: 1,
    unit: 'us',
    measured: figure(FASTCGI_TO_ENVIRON, 'call', 1e6),
  },
  {
    scenario: 'connections',
    what: 'FastCGI keep-alive, CPU/request, 256 connections : 16',
    wanted: 1.1,
    measured: cpu(withConnections(FASTCGI, 256), withConnections(FASTCGI, 16)),
  },
  { scenario: 'idle', what: '5,000 idle connections, RSS', wanted: 60, unit: 'MB', measured: idleRise },
  fetchApp('a bare fetch function', 'plain'),
  fetchApp('Hono', 'hono'),
  fetchApp('Hono with a middleware', 'dressed'),
  {
    scenario: 'python',
    what: 'hello in Python, FastCGI keep-alive, CPU/request : gunicorn gthread',
    wanted: 0.5,
    measured: cpu(FASTCGI, GUNICORN),
  },
  { scenario: 'python', what: 'the same : uWSGI', wanted: 3, measured: cpu(FASTCGI, uwsgi.name) },
  {
    scenario: 'flask',
    what: 'hello in Flask, CPU/request : uWSGI',
    wanted: 1.25,
    measured: cpu(FASTCGI, uwsgi.name),
  },
  {
    scenario: 'python-wait',
    what: '4 threads that wait 50 ms: the 80/s that are possible : requests/s',
    wanted: 1.05,
    measured: (byCase) => {
      const rate = figure(FASTCGI, 'rate', 1)(byCase);
      return rate === undefined ? undefined : 80 / rate;
    },
  },
  nodeApp('plain', 1.1),
  nodeApp('express', 1),
  nodeApp('fastify', 1),
  {
    scenario: 'metrics',
    what: 'metrics : CPU/request of a hello',
    wanted: 3,
    unit: '%',
    measured: metricsShare,
  },
  {
    scenario: 'access-log',
    what: 'CPU/request with the access log : without',
    wanted: 1.25,
    measured: cpu(viaductLogging.name, FASTCGI),
  },
];

/** The targets whose scenarios were run; null: none. */
export function targetTable(results: Results): string | null {
  const rows = TARGETS.flatMap((target) => {
    const byCase = results.get(target.scenario);
    return byCase === undefined ? [] : [row(target, target.measured(byCase))];
  });
  if (rows.length === 0) return null;
  return table(['target', 'at most', 'stretch', 'measured', 'verdict'], rows);
}

function row(target: Target, value: number | undefined): string[] {
  const { what, wanted, stretch, unit = '' } = target;
  const inUnit = (number: number): string => `${Number(number.toFixed(2))} ${unit}`.trimEnd();
  const measured = value === undefined ? '-' : inUnit(value);
  return [
    what,
    inUnit(wanted),
    stretch === undefined ? '' : inUnit(stretch),
    measured,
    verdict(target, value),
  ];
}

function verdict({ wanted, stretch }: Target, value: number | undefined): string {
  if (value === undefined) return 'not measured';
  if (value > wanted) return `missed by ${Math.ceil(100 * (value / wanted - 1))} %`;
  return stretch !== undefined && value <= stretch ? 'met, and the stretch' : 'met';
}
