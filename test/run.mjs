// `npm test`: the one gate. Sets itself up in a fresh clone, builds, lints, and runs every test.
// Arguments go on to mocha: npm test -- --grep fastcgi
import { installPackages, requireNode, run } from '../deploy/setup.mjs';

requireNode();
run('bash', ['test/setup.sh']);
installPackages();
// The build empties dist/ first: a test whose source is gone must not run.
run('npm', ['run', '--silent', 'check']);
run('node_modules/.bin/mocha', ['dist/test/**/*.test.js', ...process.argv.slice(2)]);
