// Folders that are made, that are there, and that cannot be.
import { expect } from 'chai';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../../src/transport/folder.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';

describe('transport/folder', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await makeTempDir();
  });
  afterEach(() => removeTempDir(dir));

  it('makes what is missing, with its mode, and leaves what is there', () => {
    const path = join(dir, 'a/b/c');
    makeFolder(path, 0o700);
    expect(statSync(path).mode & 0o777).to.equal(0o700);
    makeFolder(path, 0o755);
    expect(statSync(path).mode & 0o777).to.equal(0o700);
  });

  it('says why it cannot, and does not try for ever', () => {
    writeFileSync(join(dir, 'file'), '');
    expect(() => makeFolder(join(dir, 'file/a/b'), 0o755)).to.throw(/ENOTDIR/);
    expect(() => makeFolder('/proc/nothing/here', 0o755)).to.throw(/ENOENT/);
  });
});
