// One Python app under viaduct, uWSGI and gunicorn, each with the same processes and threads.
import { join } from 'node:path';
import type { Backend } from '../lib/backend.ts';
import { startChild } from '../lib/child.ts';
import { findProgram } from '../lib/tools.ts';
import { PROGRAMS } from './paths.ts';
import { GUNICORN, missing, UWSGI } from './python.ts';
import { viaductMount } from './viaduct.ts';

/** Debian's, which uWSGI and gunicorn run as well. */
const PYTHON = '/usr/bin/python3';

export interface PythonShape {
  readonly processes: number;
  readonly threads: number;
}

/** @param module of bench/programs, with `application` in it */
export const viaductPython = (module: string, shape: PythonShape): Backend =>
  viaductMount('viaduct fastcgi keep-alive', {
    app: `${module}:application`,
    interface: 'python',
    python: { executable: PYTHON, path: [PROGRAMS], ...shape },
  });

export function uwsgiThreads(module: string, { processes, threads }: PythonShape): Backend {
  return {
    name: 'uWSGI',
    protocol: 'uwsgi',
    keepAlive: false,
    prepare: () => Promise.resolve(missing(UWSGI, 'uwsgi-core and uwsgi-plugin-python3')),
    start({ dir, socket, wrap }) {
      const options = ['--master', '--disable-logging', '--need-app', '--die-on-term', '--lazy-apps'];
      const size = ['--processes', String(processes), '--threads', String(threads), '--listen', '128'];
      const args = ['--uwsgi-socket', socket, '--wsgi-file', join(PROGRAMS, `${module}.py`)];
      const command = [...wrap, findProgram(UWSGI) ?? '', ...args, ...options, ...size];
      return startChild({ command, log: join(dir, 'uwsgi.log'), socket });
    },
  };
}

export function gunicornThreads(module: string, { processes, threads }: PythonShape): Backend {
  return {
    name: 'gunicorn gthread',
    protocol: 'http',
    keepAlive: true,
    prepare: () => Promise.resolve(missing(GUNICORN, 'gunicorn')),
    start({ dir, socket, wrap }) {
      const size = ['--workers', String(processes), '--threads', String(threads)];
      const args = ['--worker-class', 'gthread', '--bind', `unix:${socket}`, '--chdir', PROGRAMS];
      const command = [...wrap, findProgram(GUNICORN) ?? '', ...args, ...size, `${module}:application`];
      const env = { PYTHONDONTWRITEBYTECODE: '1' };
      return startChild({ command, env, log: join(dir, 'gunicorn.log'), socket });
    },
  };
}
