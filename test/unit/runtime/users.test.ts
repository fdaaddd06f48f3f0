// Users and groups by name or number.
import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lookupGroup, lookupUser } from '../../../src/runtime/users.ts';

describe('users and groups', () => {
  let folder = '';
  let passwd = '';
  let group = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'viaduct-'));
    passwd = join(folder, 'passwd');
    group = join(folder, 'group');
    writeFileSync(passwd, 'root:x:0:0:root:/:/bin/sh\n# a note\nweb:x:33:34::/:/bin/false\n77:x:5:6:::\n\n');
    writeFileSync(group, 'root:x:0:\nweb:x:34:a,b\n');
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  it('finds them by name and by number', () => {
    expect(lookupUser('web', passwd)).to.deep.equal({ name: 'web', uid: 33, gid: 34 });
    expect(lookupUser('33', passwd)).to.deep.equal({ name: 'web', uid: 33, gid: 34 });
    expect(lookupGroup('web', group)).to.deep.equal({ name: 'web', gid: 34 });
    expect(lookupGroup('34', group)).to.deep.equal({ name: 'web', gid: 34 });
  });

  it('takes a name of digits for a name first', () => {
    expect(lookupUser('77', passwd)).to.deep.equal({ name: '77', uid: 5, gid: 6 });
  });

  it('takes a number nobody has as it is, up to the last one chown knows', () => {
    expect(lookupUser('4294967294', passwd)).to.deep.equal({
      name: '4294967294',
      uid: 4294967294,
      gid: 4294967294,
    });
    expect(lookupGroup('900', group)).to.deep.equal({ name: '900', gid: 900 });
    expect(lookupUser('4294967295', passwd)).to.equal(undefined);
    expect(lookupGroup('-1', group)).to.equal(undefined);
  });

  it('finds no others', () => {
    expect(lookupUser('nobody', passwd)).to.equal(undefined);
    expect(lookupGroup('', group)).to.equal(undefined);
    expect(lookupUser('root', join(folder, 'none'))).to.equal(undefined);
  });
});
