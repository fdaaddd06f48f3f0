// Go's net/http/fcgi, built once.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Backend } from '../lib/backend.ts';
import { startChild } from '../lib/child.ts';
import { findProgram, runTool } from '../lib/tools.ts';
import { CACHE, PROGRAMS } from './paths.ts';

const BINARY = join(CACHE, 'hello-go');

export const goFcgi: Backend = {
  name: 'Go net/http/fcgi',
  protocol: 'fastcgi',
  keepAlive: true,
  async prepare() {
    const go = findProgram(/^go$/);
    if (go === undefined) return 'golang-go not installed';
    await mkdir(CACHE, { recursive: true });
    const env = { GOCACHE: join(CACHE, 'go'), GO111MODULE: 'off', CGO_ENABLED: '0' };
    return runTool(go, ['build', '-o', BINARY, join(PROGRAMS, 'hello.go')], env);
  },
  start: ({ dir, socket, wrap }) =>
    startChild({ command: [...wrap, BINARY, socket], log: join(dir, 'go.log'), socket }),
};
