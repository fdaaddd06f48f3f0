// Python apps: a plain hello, Flask's, and one that waits, beside the servers people run them with.
import { gunicornThreads, type PythonShape, uwsgiThreads, viaductPython } from '../backends/python-apps.ts';
import { PAGE_COLUMNS, ratioColumn } from '../lib/columns.ts';
import { askPages } from '../lib/drive.ts';
import { behindNginx } from '../lib/measure.ts';
import type { Scenario } from '../lib/scenario.ts';
import { askHello, HELLO } from './hello.ts';

const SHAPE: PythonShape = { processes: 2, threads: 4 };
/** Waits 50 ms: 20 requests a second and thread, and no more. */
const WAITING: PythonShape = { processes: 1, threads: 4 };

/** Seconds. A request takes long, so it takes long until Node has compiled what every request runs. */
const WARMUP = 6;

const PAGE = { app: 'hello', drive: askHello, warmup: WARMUP } as const;
const RATIOS = [
  ratioColumn('CPU/request : uWSGI', 'cpu', 'uWSGI'),
  ratioColumn('CPU/request : gunicorn gthread', 'cpu', 'gunicorn gthread'),
  ratioColumn('requests/s : uWSGI', 'rate', 'uWSGI'),
];

function app(name: string, title: string, module: string, shape: PythonShape, about: string): Scenario {
  const backends = [uwsgiThreads, gunicornThreads, viaductPython].map((make) => make(module, shape));
  return {
    name,
    title,
    about: [
      `${about}; ${shape.processes} processes of ${shape.threads} threads each`,
      `at least ${WARMUP} s of warm-up`,
      "CPU is that of all the server's processes: viaduct's master and worker, and the Python processes",
    ],
    rounds: 3,
    cases: backends.map((backend) => behindNginx(backend, PAGE)),
    ratios: RATIOS,
    figures: PAGE_COLUMNS,
  };
}

const waiting: Scenario = {
  ...app(
    'python-wait',
    'A Python app that waits',
    'waiting',
    WAITING,
    'the small page, after a sleep of 50 ms',
  ),
  cases: [uwsgiThreads, gunicornThreads, viaductPython].map((make) =>
    behindNginx(make('waiting', WAITING), {
      app: 'hello',
      drive: () => askPages({ connections: 8, wanted: HELLO }),
      warmup: WARMUP,
    }),
  ),
};

export const pythonScenarios: readonly Scenario[] = [
  app('python', 'Hello in Python', 'hello', SHAPE, 'the small page from a plain WSGI app'),
  app('flask', 'Hello in Flask', 'flask_hello', SHAPE, 'the small page from a Flask view'),
  waiting,
];
