import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { connectionsWithin, courtesyWithin, descriptorLimit } from '../../../src/runtime/descriptors.ts';
import { projectRoot } from '../../helpers/project.ts';

const MODULE = pathToFileURL(join(projectRoot, 'dist/src/runtime/descriptors.js')).href;

/** What a program prints that may have so many descriptors. */
function withLimit(limit: string, program: string): string {
  const args = [`--nofile=${limit}`, process.execPath, '--input-type=module', '-e'];
  const { stdout, stderr } = spawnSync('prlimit', [...args, program], { encoding: 'utf8', timeout: 10_000 });
  return (stdout + stderr).trim();
}

describe('runtime/descriptors', () => {
  it('finds the limit, as Node has raised it', () => {
    const program = `import { descriptorLimit } from '${MODULE}'; console.log(descriptorLimit());`;
    expect(withLimit('200:300', program)).to.equal('300');
    expect(withLimit('128:128', program)).to.equal('128');
    expect(descriptorLimit()).to.be.above(100);
  });

  it('leaves limits.connections as it is where there is room', () => {
    expect(connectionsWithin(Infinity, 4096)).to.equal(4096);
    expect(connectionsWithin(20_000, 4096)).to.equal(4096);
  });

  it('leaves room for what is open, for apps, and for connections that are told 503', () => {
    const open = readdirSync('/proc/self/fd').length;
    expect(connectionsWithin(1000 + open, 4096)).to.be.within(1000 - 256 - 64 - 2, 1000 - 250 - 64 + 2);
    expect(connectionsWithin(200, 4096)).to.be.within(200 - open - 102, 200 - open - 98);
    expect(connectionsWithin(10, 4096)).to.equal(1);
    expect([courtesyWithin(Infinity), courtesyWithin(1024), courtesyWithin(128)]).to.deep.equal([64, 64, 32]);
  });

  it('notices when none is left, and only then', () => {
    const program = `
import { openSync, closeSync } from 'node:fs';
import { DescriptorWatch } from '${MODULE}';
let told = 0;
const watch = new DescriptorWatch(() => told++);
const taken = [];
watch.tick();
try { for (;;) taken.push(openSync('/dev/null')); } catch {}
watch.tick();
closeSync(taken.pop());
watch.tick();
process.stdout.write(String(told));`;
    expect(withLimit('128:128', program)).to.equal('1');
  });
});
