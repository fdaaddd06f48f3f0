// The small page, and everything that people could use instead.
import { BACKENDS, BASELINE } from '../backends/all.ts';
import { uwsgi } from '../backends/python.ts';
import { PAGE_COLUMNS, ratioColumn } from '../lib/columns.ts';
import { askPages, type Drive } from '../lib/drive.ts';
import { behindNginx } from '../lib/measure.ts';
import type { Load, Scenario } from '../lib/scenario.ts';

export const HELLO = 'Hello, World!\n';

export const askHello = ({ connections }: Pick<Load, 'connections'>): Drive =>
  askPages({ connections, wanted: HELLO });

export const hello: Scenario = {
  name: 'hello',
  title: 'Hello',
  about: ['a page of 14 bytes'],
  rounds: 4,
  cases: BACKENDS.map((backend) => behindNginx(backend, { app: 'hello', drive: askHello })),
  ratios: [
    ratioColumn(`CPU/request : ${BASELINE.name}`, 'cpu', BASELINE.name),
    ratioColumn(`CPU/request : ${uwsgi.name}`, 'cpu', uwsgi.name),
    ratioColumn(`requests/s : ${BASELINE.name}`, 'rate', BASELINE.name),
  ],
  figures: PAGE_COLUMNS,
};
