import { expect } from 'chai';
import { join } from 'node:path';
import { findRunDir } from '../../../src/config/run-dir.ts';
import { useFolder } from './fixture.ts';

describe('findRunDir', () => {
  const folder = useFolder();
  const cases: [what: string, text: string, expected: string][] = [
    ['the default', 'listeners: []\n', 'run'],
    ['what the file says', 'run_dir: state\nworkers: 0\n', 'state'],
    ['an absolute one', 'run_dir: /run/x\n', '/run/x'],
    ['one with a name of the environment', 'run_dir: ${WHERE}/run\n', 'there/run'],
    ['that of a file that is no YAML any more', 'listeners: [{\nrun_dir: "a b" # here\n', 'a b'],
    ['the default where the file says nonsense', 'run_dir: [1]\n', 'run'],
    ['the default of an empty file', '', 'run'],
  ];
  for (const [what, text, expected] of cases) {
    it(`gives ${what}`, () => {
      folder.write('viaduct.yaml', text);
      const found = findRunDir(join(folder.path, 'viaduct.yaml'), { WHERE: 'there' });
      expect(found).to.equal(expected.startsWith('/') ? expected : join(folder.path, expected));
    });
  }

  it('gives the default of a file that is gone', () => {
    expect(findRunDir(join(folder.path, 'gone.yaml'), {})).to.equal(join(folder.path, 'run'));
  });
});
