// What a line in the access log costs.
import { viaductFastcgi, viaductLogging } from '../backends/viaduct.ts';
import { PAGE_COLUMNS, ratioColumn } from '../lib/columns.ts';
import { behindNginx } from '../lib/measure.ts';
import type { Scenario } from '../lib/scenario.ts';
import { askHello } from './hello.ts';

export const accessLog: Scenario = {
  name: 'access-log',
  title: 'Access log',
  about: ['the small page; JSON lines to a file, against none'],
  rounds: 3,
  cases: [viaductFastcgi, viaductLogging].map((backend) =>
    behindNginx(backend, { app: 'hello', drive: askHello }),
  ),
  ratios: [ratioColumn('CPU/request : without', 'cpu', viaductFastcgi.name)],
  figures: PAGE_COLUMNS,
};
