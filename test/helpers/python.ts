// Python mounts for tests: Debian's interpreter, which has Django and Flask, and the fixtures in test/fixtures/python.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './project.ts';

export const PYTHON = '/usr/bin/python3';
export const PYTHON_FIXTURES = join(projectRoot, 'test/fixtures/python');

/** A mount of a fixture, without its path. `python` has more of that key. */
export function pythonMount(app: string, more: object = {}, python: object = {}): object {
  return {
    app,
    interface: 'python',
    ...more,
    python: { executable: PYTHON, path: [PYTHON_FIXTURES], processes: 1, threads: 2, ...python },
  };
}

/** Makes the database of the Django fixture, with a user admin whose password is "secret". */
export function makeDjangoDatabase(file: string): void {
  const env = {
    ...process.env,
    PYTHONPATH: PYTHON_FIXTURES,
    DJANGO_SETTINGS_MODULE: 'django_site.settings',
    SITE_DATABASE: file,
    DJANGO_SUPERUSER_PASSWORD: 'secret',
  };
  const run = (...args: string[]): void => {
    execFileSync(PYTHON, ['-m', 'django', ...args], { env, stdio: 'pipe', timeout: 60_000 });
  };
  run('migrate', '--verbosity', '0');
  run('createsuperuser', '--noinput', '--username', 'admin', '--email', 'admin@example.com');
}

/** Pids of the processes that run `program` and have `word` in their environment. */
export function findProcesses(program: string, word: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .filter((pid) => {
      try {
        const has = (file: string, text: string): boolean =>
          readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(text);
        return has('cmdline', program) && has('environ', word);
      } catch {
        // It is gone, or not ours.
        return false;
      }
    })
    .map(Number);
}
