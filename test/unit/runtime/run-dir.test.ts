import { expect } from 'chai';
import { chmodSync, existsSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeRunDir, writePidFile } from '../../../src/runtime/run-dir.ts';
import type { Config, ListenerConfig } from '../../../src/config/types.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';

const listenerAt = (path: string): ListenerConfig => ({
  address: { kind: 'unix', path },
  protocol: 'http',
  mode: 0o660,
  owner: null,
  group: null,
  backlog: 1,
  allowedClients: null,
});

describe('runtime/run-dir', () => {
  let folder = '';
  let runDir = '';
  let file = '';
  /** Makes run_dir for a listener at `socket` and gives the mode of what there is then. */
  const make = (socket: string, logFile: string | null = null, user: string | null = null): number => {
    const log = { file: logFile, access: { file: null } } as Config['log'];
    makeRunDir({ runDir, listeners: [listenerAt(socket)], admin: null, mounts: [], log, user });
    return statSync(runDir).mode & 0o777;
  };

  beforeEach(async () => {
    folder = await makeTempDir();
    runDir = join(folder, 'deep/run');
    file = join(runDir, 'viaduct.pid');
    make(join(folder, 'http.sock'));
  });
  afterEach(() => removeTempDir(folder));

  it('makes a run_dir for itself, and one that nginx can pass through to a socket in it', () => {
    expect(statSync(runDir).mode & 0o777).to.equal(0o700);
    rmdirSync(runDir);
    const before = process.umask(0o077);
    expect(make(join(runDir, 'http.sock'))).to.equal(0o711);
    process.umask(before);
  });

  it('makes one that another user can pass through to a log in it', () => {
    const mode = (user: string | null): number => {
      rmdirSync(runDir);
      return make(join(folder, 'http.sock'), join(runDir, 'log'), user);
    };
    expect([mode(null), mode('www-data')]).to.deep.equal([0o700, 0o711]);
  });

  it('leaves a folder that is there as it is', () => {
    chmodSync(runDir, 0o750);
    expect(make(join(runDir, 'http.sock'))).to.equal(0o750);
  });

  it('writes its pid', () => {
    writePidFile(runDir);
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
