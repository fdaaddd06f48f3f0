// The same hello in Python: uWSGI behind uwsgi_pass, gunicorn behind proxy_pass. One process each, as viaduct has one.
import { join } from 'node:path';
import type { Backend } from '../lib/backend.ts';
import { startChild } from '../lib/child.ts';
import { findProgram } from '../lib/tools.ts';
import { PROGRAMS } from './paths.ts';

export const UWSGI = /^uwsgi_python3$/;
export const GUNICORN = /^gunicorn$/;

export const uwsgi: Backend = {
  name: 'uWSGI',
  protocol: 'uwsgi',
  keepAlive: false,
  prepare: () => Promise.resolve(missing(UWSGI, 'uwsgi-core and uwsgi-plugin-python3')),
  start({ dir, socket, wrap }) {
    const options = ['--processes', '1', '--disable-logging', '--need-app', '--die-on-term'];
    const program = findProgram(UWSGI) ?? '';
    // Its buffer for a request's params has 4 KiB unless told.
    options.push('--buffer-size', '65535');
    const args = ['--uwsgi-socket', socket, '--wsgi-file', join(PROGRAMS, 'hello.py'), ...options];
    return startChild({ command: [...wrap, program, ...args], log: join(dir, 'uwsgi.log'), socket });
  },
};

export const gunicorn: Backend = {
  name: 'gunicorn',
  protocol: 'http',
  // Its default worker answers one request a connection.
  keepAlive: false,
  prepare: () => Promise.resolve(missing(GUNICORN, 'gunicorn')),
  start({ dir, socket, wrap }) {
    const program = findProgram(GUNICORN) ?? '';
    const args = ['--bind', `unix:${socket}`, '--workers', '1', '--chdir', PROGRAMS, 'hello:application'];
    return startChild({
      command: [...wrap, program, ...args],
      env: { PYTHONDONTWRITEBYTECODE: '1' },
      log: join(dir, 'gunicorn.log'),
      socket,
    });
  },
};

export function missing(program: RegExp, packages: string): string | null {
  return findProgram(program) === undefined ? `${packages} not installed` : null;
}
