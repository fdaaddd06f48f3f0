// php-fpm. A child of it serves one connection at a time, so kept connections would starve all but a few clients:
// nginx closes after each request, which is also how php-fpm is run.
import { writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '../lib/backend.ts';
import { startChild } from '../lib/child.ts';
import { findProgram } from '../lib/tools.ts';
import { PROGRAMS } from './paths.ts';

const PROGRAM = /^php-fpm[0-9.]*$/;

export const phpFpm: Backend = {
  name: 'php-fpm',
  protocol: 'fastcgi',
  keepAlive: false,
  extra: `fastcgi_param SCRIPT_FILENAME ${join(PROGRAMS, 'hello.php')};`,
  prepare: () => Promise.resolve(findProgram(PROGRAM) === undefined ? 'php-fpm not installed' : null),
  async start({ dir, socket, wrap }) {
    const file = join(dir, 'php-fpm.conf');
    const { username } = userInfo();
    const pool = [
      '[hello]',
      `user = ${username}`,
      `listen = ${socket}`,
      'pm = static',
      'pm.max_children = 4',
    ];
    await writeFile(file, ['[global]', `error_log = ${join(dir, 'fpm.log')}`, ...pool, ''].join('\n'));
    // As root it wants to be told that this is meant.
    const root = process.getuid?.() === 0 ? ['--allow-to-run-as-root'] : [];
    const command = [...wrap, findProgram(PROGRAM) ?? '', '--nodaemonize', '--fpm-config', file, ...root];
    return startChild({ command, log: join(dir, 'php-fpm.log'), socket });
  },
};
