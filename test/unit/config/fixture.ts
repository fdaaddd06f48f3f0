// Configuration files for tests, in a folder that goes away.
import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../src/config/load.ts';
import type { LoadedConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problems.ts';

export interface Folder {
  path: string;
  write(name: string, content: string | Uint8Array): string;
}

/** A fresh folder for every test of the suite that calls this. */
export function useFolder(): Folder {
  const folder: Folder = {
    path: '',
    write(name, content) {
      const file = join(folder.path, name);
      writeFileSync(file, content);
      return file;
    },
  };
  beforeEach(() => {
    folder.path = mkdtempSync(join(tmpdir(), 'viaduct-'));
  });
  afterEach(() => {
    rmSync(folder.path, { recursive: true });
  });
  return folder;
}

/** Lines 1 to 6 of a file that is right; a case adds its lines after them. */
export const BASE = `listeners:
  - address: unix:run/v.sock
    protocol: fastcgi
mounts:
  - path: /
    app: viaduct:hello
`;

export function load(folder: Folder, yaml: string, env: NodeJS.ProcessEnv = {}): LoadedConfig {
  return loadConfig(folder.write('viaduct.yaml', yaml), env);
}

export function mistakes(
  folder: Folder,
  yaml: string | Uint8Array,
  env: NodeJS.ProcessEnv = {},
): ConfigError {
  const file = folder.write('viaduct.yaml', yaml);
  try {
    loadConfig(file, env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('Expected a ConfigError, found a configuration');
}

/** The error's lines without the folder in front: `3:15: path: message`. */
export function linesOf(folder: Folder, error: ConfigError): string[] {
  return error.message.split('\n').map((line) => line.replaceAll(`${folder.path}/viaduct.yaml:`, ''));
}

export interface Case {
  what: string;
  yaml: string;
  /** In the order of the file, whole. */
  lines: string[];
  env?: NodeJS.ProcessEnv;
}

/** One test a case: every line of the error, in order. */
export function describeMistakes(title: string, cases: Case[]): void {
  describe(title, () => {
    const folder = useFolder();
    for (const { what, yaml, lines, env } of cases) {
      it(what, () => {
        const found = linesOf(folder, mistakes(folder, yaml, env));
        expect(found.map((line) => line.replace(folder.path, 'DIR'))).to.have.ordered.members(lines);
      });
    }
  });
}
