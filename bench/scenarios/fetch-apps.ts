// Apps of Request and Response, beside the server that people run them with.
import { honoNodeServer, viaductFetch } from '../backends/fetch-apps.ts';
import { PAGE_COLUMNS, ratioColumn } from '../lib/columns.ts';
import { behindNginx } from '../lib/measure.ts';
import type { Scenario } from '../lib/scenario.ts';
import { askHello } from './hello.ts';

const APPS = ['plain', 'hono', 'dressed'] as const;

const baseline = (name: string): string => honoNodeServer(name.split(',')[0] ?? '').name;

export const fetchApps: Scenario = {
  name: 'fetch-apps',
  title: 'Apps of Request and Response',
  about: [
    'the small page from a bare function, from Hono, and from Hono with a middleware that reads a header and sets two (dressed)',
    '@hono/node-server is in place before the app is loaded, so that both have their fast Response',
  ],
  rounds: 4,
  cases: APPS.flatMap((app) =>
    [honoNodeServer(app), viaductFetch(app)].map((backend) =>
      behindNginx(backend, { app: 'hello', drive: askHello }),
    ),
  ),
  ratios: [
    ratioColumn('CPU/request : @hono/node-server', 'cpu', baseline),
    ratioColumn('requests/s : @hono/node-server', 'rate', baseline),
  ],
  figures: PAGE_COLUMNS,
};
