// The log files as the master makes them: which one it is that cannot be opened.
import { expect } from 'chai';
import { tmpdir } from 'node:os';
import type { Config } from '../../../src/config/types.ts';
import { Logs } from '../../../src/runtime/logs.ts';

describe('runtime/logs', () => {
  it('says which file of the configuration cannot be opened', () => {
    // A folder where the file should be: fails for root too.
    const folder = tmpdir();
    const open = (file: string | null, accessFile: string | null): Logs => {
      const access = { enabled: true, file: accessFile, format: 'json' };
      return new Logs({ log: { level: 'info', file, access }, user: null, group: null } as Config);
    };
    expect(() => open(folder, null)).to.throw(`Cannot open log.file ${folder}: EISDIR`);
    expect(() => open(null, folder)).to.throw(`Cannot open log.access.file ${folder}: EISDIR`);
  });
});
