// What more connections at a time do to the price of a request.
import { BASELINE } from '../backends/all.ts';
import { viaductFastcgi } from '../backends/viaduct.ts';
import { PAGE_COLUMNS, ratioColumn } from '../lib/columns.ts';
import { behindNginx } from '../lib/measure.ts';
import type { Scenario } from '../lib/scenario.ts';
import { askHello } from './hello.ts';

const COUNTS = [1, 16, 256];

/** The name of a case. */
export const withConnections = (backend: string, count: number): string => `${backend}, ${count}`;
const countOf = (name: string): number => Number(name.split(', ').at(-1));
const backendOf = (name: string): string => name.slice(0, name.lastIndexOf(', '));

export const connections: Scenario = {
  name: 'connections',
  title: '1, 16 and 256 connections',
  about: ["the small page; nginx's keepalive is as large as the number of connections"],
  rounds: 3,
  cases: [BASELINE, viaductFastcgi].flatMap((backend) =>
    COUNTS.map((count) =>
      behindNginx(backend, {
        name: withConnections(backend.name, count),
        app: 'hello',
        drive: () => askHello({ connections: count }),
      }),
    ),
  ),
  ratios: [
    ratioColumn('CPU/request : itself at 16', 'cpu', (name) => withConnections(backendOf(name), 16)),
    ratioColumn(`CPU/request : ${BASELINE.name}`, 'cpu', (name) =>
      withConnections(BASELINE.name, countOf(name)),
    ),
  ],
  figures: PAGE_COLUMNS,
};
