// What metrics add to a request. They cannot be turned off, so there is nothing to compare: what they do for a hello is
// measured alone, beside all that a hello costs.
import { viaductFastcgi } from '../backends/viaduct.ts';
import { column, spread } from '../lib/columns.ts';
import { behindNginx } from '../lib/measure.ts';
import { microCase } from '../lib/micro.ts';
import type { Scenario } from '../lib/scenario.ts';
import { askHello } from './hello.ts';

/** As bench/micro/metrics.ts calls it. */
export const METRICS_OF_A_HELLO = 'metrics of a hello';

export const metrics: Scenario = {
  name: 'metrics',
  title: 'Metrics',
  about: [
    'every call that a request over a kept FastCGI connection makes, in a process of its own; and the whole request behind nginx',
    'what goes to the master and to a scraper is by the second, not by the request: bench/micro/metrics.ts has it',
  ],
  rounds: 3,
  cases: [
    microCase('metrics.js', METRICS_OF_A_HELLO),
    behindNginx(viaductFastcgi, { app: 'hello', drive: askHello }),
  ],
  ratios: [],
  figures: [
    column('metrics ns', 'call', 1e9, 1),
    spread('call', 1e9, 1),
    column('CPU us/request', 'cpu', 1e6, 1),
    spread('cpu', 1e6, 1),
  ],
};
