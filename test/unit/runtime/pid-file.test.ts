import { expect } from 'chai';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writePidFile } from '../../../src/runtime/pid-file.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';

describe('runtime/pid-file', () => {
  let folder = '';
  let runDir = '';
  let file = '';

  beforeEach(async () => {
    folder = await makeTempDir();
    runDir = join(folder, 'run');
    file = join(runDir, 'viaduct.pid');
  });
  afterEach(() => removeTempDir(folder));

  it('makes a run_dir that nginx can pass through to a socket in it', () => {
    const before = process.umask(0o022);
    writePidFile(runDir);
    process.umask(before);
    expect(statSync(runDir).mode & 0o777).to.equal(0o755);
    expect(readFileSync(file, 'utf8')).to.equal(`${process.pid}\n`);
  });

  it('takes away its own file', () => {
    writePidFile(runDir)();
    expect(existsSync(file)).to.equal(false);
  });

  it('leaves the file of another process', () => {
    const remove = writePidFile(runDir);
    writeFileSync(file, '1\n');
    remove();
    expect(readFileSync(file, 'utf8')).to.equal('1\n');
  });
});
