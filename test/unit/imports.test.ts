// Holds the table of rooms: which folder of src/ may import which. Reads the import lines, so a new file is held too.
import { expect } from 'chai';
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { projectRoot } from '../helpers/project.ts';

/** What a room may import besides itself; `types` only with `import type`. */
interface Room {
  readonly rooms: readonly string[];
  readonly types?: readonly string[];
  /** Packages and built-in modules it may not use, or `pure`: none but node:buffer. */
  readonly outside?: 'pure' | readonly string[];
}

const SOCKETS = ['node:net', 'node:tls', 'node:dgram', 'node:cluster', 'node:http2'];

// cli -> runtime -> transport -> {protocol, gateway}; apps -> gateway; config and observe are leaves.
const ROOMS: Readonly<Record<string, Room>> = {
  protocol: { rooms: [], outside: 'pure' },
  config: { rooms: [] },
  observe: { rooms: [] },
  gateway: { rooms: ['observe'], types: ['config'], outside: SOCKETS },
  apps: { rooms: ['gateway', 'config', 'observe'] },
  transport: { rooms: ['protocol', 'gateway', 'config', 'observe'] },
  runtime: { rooms: ['transport', 'protocol', 'gateway', 'apps', 'config', 'observe'] },
  cli: { rooms: ['runtime', 'transport', 'protocol', 'gateway', 'apps', 'config', 'observe'] },
  'index.ts': { rooms: ['gateway', 'transport', 'apps', 'protocol'] },
};

const MAX_LINES = 350;

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

function importsOf(text: string): Import[] {
  const code = text.replaceAll(/\/\*[^]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '');
  const found: Import[] = [];
  for (const match of code.matchAll(/^\s*(?:import|export)\s+(type\s)?[^'";]*?\bfrom\s*['"]([^'"]+)['"]/gm)) {
    found.push({ specifier: match[2] ?? '', typeOnly: match[1] !== undefined });
  }
  for (const match of code.matchAll(/^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm)) {
    found.push({ specifier: match[1] ?? match[2] ?? '', typeOnly: false });
  }
  return found;
}

function roomOf(path: string): string {
  return path.split('/')[0] ?? '';
}

/** What is wrong with the imports of one file; `path` is relative to src/. */
function importProblems(path: string, text: string): string[] {
  const own = roomOf(path);
  const room = ROOMS[own];
  if (room === undefined) return [`src/${path}: "${own}" is not a room of src/`];
  return importsOf(text)
    .map((line) => importProblem(path, own, room, line))
    .filter((problem) => problem !== undefined)
    .map((problem) => `src/${path}: ${problem}`);
}

function importProblem(
  path: string,
  own: string,
  room: Room,
  { specifier, typeOnly }: Import,
): string | undefined {
  if (!specifier.startsWith('.')) return outsideProblem(own, room, specifier);
  if (!specifier.endsWith('.ts')) return `import "${specifier}" must end in .ts`;
  const target = posix.join(posix.dirname(path), specifier);
  if (target.startsWith('..')) return `import "${specifier}" leaves src/`;
  const other = roomOf(target);
  if (other === own || room.rooms.includes(other)) return undefined;
  if (room.types?.includes(other) === true) {
    return typeOnly ? undefined : `${own} may import only types of ${other} ("${specifier}")`;
  }
  return `${own} may not import ${other} ("${specifier}")`;
}

function outsideProblem(own: string, { outside = [] }: Room, specifier: string): string | undefined {
  const refused = outside === 'pure' ? specifier !== 'node:buffer' : outside.includes(specifier);
  return refused ? `${own} may not import "${specifier}"` : undefined;
}

/** What is wrong with the shape of one file. */
function shapeProblems(path: string, text: string): string[] {
  const lines = text.trimEnd().split('\n');
  const problems: string[] = [];
  if (lines.length > MAX_LINES) problems.push(`${lines.length} lines, at most ${MAX_LINES} are wanted`);
  if (/^\s*export\s+default\b|^\s*export\s*\{[^}]*\bas default\b/m.test(text))
    problems.push('has a default export');
  const first = lines[0]?.startsWith('#!') === true ? lines[1] : lines[0];
  if (!/^\/[/*]/.test(first ?? '')) problems.push('does not start with a comment that says what it is for');
  if (!/^(?:[a-z0-9-]+\/)*[a-z0-9-]+(?:\.d)?\.ts$/.test(path)) problems.push('is not named in kebab-case');
  return problems.map((problem) => `src/${path}: ${problem}`);
}

function sources(): { path: string; text: string }[] {
  const folder = join(projectRoot, 'src');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .toSorted()
    .map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }));
}

describe('src/', () => {
  it('keeps to the table of rooms', () => {
    const files = sources();
    expect(files.length).to.be.at.least(5);
    expect(files.flatMap(({ path, text }) => importProblems(path, text)).join('\n')).to.equal('');
  });

  it('has small files that say what they are for, without default exports', () => {
    expect(
      sources()
        .flatMap(({ path, text }) => shapeProblems(path, text))
        .join('\n'),
    ).to.equal('');
  });
});

// The two tests above pass on an empty list of problems: these show that the list fills.
describe('importProblems()', () => {
  const refused: [path: string, line: string][] = [
    ['protocol/fastcgi/decoder.ts', "import { x } from '../../gateway/contract.ts';"],
    ['protocol/fastcgi/decoder.ts', "import type { Socket } from 'node:net';"],
    ['protocol/detect.ts', "import { y } from 'fastcgi-stream';"],
    ['gateway/environ.ts', "import {\n  a,\n  b,\n} from '../transport/connection.ts';"],
    ['gateway/environ.ts', "import { Socket } from 'node:net';"],
    ['gateway/mounts.ts', "import { load } from '../config/load.ts';"],
    ['apps/loader.ts', "import { x } from '../transport/listener.ts';"],
    ['apps/node/index.ts', "export { x } from '../../runtime/worker.ts';"],
    ['transport/listener.ts', "const { x } = await import('../apps/loader.ts');"],
    ['transport/listener.ts', "import '../runtime/ipc.ts';"],
    ['runtime/worker.ts', "import { run } from '../cli/main.ts';"],
    ['observe/metrics.ts', "import type { Config } from '../config/types.ts';"],
    ['config/load.ts', "export * from '../observe/logger.ts';"],
    ['index.ts', "import { run } from './runtime/worker.ts';"],
    ['cli/main.ts', "import { run } from '../runtime/worker.js';"],
    ['cli/main.ts', "import { run } from '../../test/helpers/wait.ts';"],
    ['attic/old.ts', ''],
  ];
  for (const [path, line] of refused) {
    it(`refuses in ${path}: ${line.replaceAll(/\s+/g, ' ')}`, () => {
      expect(importProblems(path, `// For a reason.\n${line}\n`)).to.have.lengthOf(1);
    });
  }

  const allowed: [path: string, line: string][] = [
    [
      'protocol/fastcgi/decoder.ts',
      "import { LIMITS } from '../limits.ts';\nimport { Buffer } from 'node:buffer';",
    ],
    ['gateway/mounts.ts', "import type { Config } from '../config/types.ts';"],
    [
      'transport/connection.ts',
      "import { x } from '../protocol/detect.ts';\nimport { connect } from 'node:net';",
    ],
    ['cli/serve.ts', "const { serve } = await import('../runtime/worker.ts');"],
    ['index.ts', "export type { Environ } from './gateway/contract.ts';"],
    [
      'protocol/detect.ts',
      "/** import { x } from '../cli/main.ts'; */\n// import { x } from '../cli/main.ts';",
    ],
  ];
  for (const [path, line] of allowed) {
    it(`allows in ${path}: ${line.replaceAll(/\s+/g, ' ')}`, () => {
      expect(importProblems(path, line)).to.deep.equal([]);
    });
  }
});

describe('shapeProblems()', () => {
  it('refuses long files, default exports, a missing comment and other names', () => {
    const long = `// Long.\n${'export {};\n'.repeat(MAX_LINES)}`;
    expect(shapeProblems('cli/long.ts', long)).to.deep.equal([
      'src/cli/long.ts: 351 lines, at most 350 are wanted',
    ]);
    expect(shapeProblems('cli/a.ts', '// A.\nexport default 1;')).to.deep.equal([
      'src/cli/a.ts: has a default export',
    ]);
    expect(shapeProblems('cli/a.ts', '// A.\nexport { a as default };')).to.have.lengthOf(1);
    expect(shapeProblems('cli/a.ts', 'export const a = 1;')).to.have.lengthOf(1);
    expect(shapeProblems('cli/camelCase.ts', '// A.')).to.have.lengthOf(1);
    expect(shapeProblems('cli/main.ts', '#!/usr/bin/env node\n// The program.\n')).to.deep.equal([]);
  });
});
