// What `npm start` and `npm test` need before anything else: a Node that is new enough, the packages, a build.
// Plain JavaScript without dependencies: it runs from a fresh clone, before there is anything to import.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json. */
export const projectRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** Ends the process with a message unless this Node satisfies `engines` of package.json, ">=MAJOR.MINOR". */
export function requireNode() {
  const { engines } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'));
  const [major, minor] = engines.node.replace('>=', '').split('.').map(Number);
  const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number);
  if (ownMajor > major || (ownMajor === major && ownMinor >= minor)) return;
  fail(`Cannot run on Node ${process.versions.node}: viaduct needs Node ${major}.${minor} or newer`);
}

/** Installs the packages where node_modules is missing or older than package-lock.json. */
export function installPackages() {
  // npm writes this file last, so an install that was interrupted counts as none.
  const installed = modifiedAt(join(projectRoot, 'node_modules/.package-lock.json'));
  if (installed >= modifiedAt(join(projectRoot, 'package-lock.json'))) return;
  // With NODE_ENV=production npm would leave out the compiler.
  run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']);
}

/** Builds where dist/ is missing or older than a source. */
export function buildIfStale() {
  const sources = ['src', 'package-lock.json', 'tsconfig.json'].map((name) =>
    newestIn(join(projectRoot, name)),
  );
  const built = modifiedAt(join(projectRoot, 'dist/src/cli/main.js'));
  if (built === 0 || built < Math.max(...sources)) run('npm', ['run', '--silent', 'build']);
}

/** Runs a program in the project's folder and ends this process with its exit code where that is not 0. */
export function run(program, args) {
  const { status, error } = spawnSync(program, args, { cwd: projectRoot, stdio: 'inherit' });
  if (error) fail(`Cannot run "${program}": ${error.message}`);
  if (status !== 0) fail(`"${[program, ...args].join(' ')}" failed, see above`, status ?? 1);
}

/** Ends the process with a message. */
export function fail(message, code = 1) {
  console.error(message);
  process.exit(code);
}

/** Modification time in milliseconds; 0 where there is no such file. */
function modifiedAt(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

/** Folders count too: their time tells of files that were added or removed. */
function newestIn(path) {
  const children = statSync(path).isDirectory() ? readdirSync(path) : [];
  return Math.max(modifiedAt(path), ...children.map((name) => newestIn(join(path, name))));
}
