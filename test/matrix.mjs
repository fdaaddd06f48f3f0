// `npm run test:matrix`: the same tests under the newer Node versions, which npm brings as plain binaries.
// They are kept in .cache/ and not in package.json: npm puts node_modules/.bin first on PATH, so a Node
// among the development dependencies would become the Node of every script.
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fail, installPackages, projectRoot, requireNode, run } from '../deploy/setup.mjs';

const VERSIONS = [24, 26];

requireNode();
run('bash', ['test/setup.sh']);
installPackages();
run('npm', ['run', '--silent', 'build']);
const path = process.env.PATH;
for (const version of VERSIONS) {
  const node = install(version);
  console.log(`\nNode ${version}`);
  // Programs that the tests start by name get this version as well.
  process.env.PATH = [dirname(node), path].join(delimiter);
  run(node, ['node_modules/mocha/bin/mocha.js', 'dist/test/**/*.test.js', ...process.argv.slice(2)]);
}

/** The path of the program of that major version, installed by npm where it is not there yet. */
function install(version) {
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(projectRoot, `.cache/node${version}`);
  const program = join(folder, 'node_modules', name, 'bin/node');
  if (!existsSync(program)) {
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    run('npm', ['install', '--prefix', folder, ...quiet, `${name}@${version}`]);
  }
  if (!existsSync(program)) fail(`Cannot use Node ${version}: the package ${name} has no bin/node`);
  return program;
}
