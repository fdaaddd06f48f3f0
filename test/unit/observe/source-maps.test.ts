import { expect } from 'chai';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mapStack } from '../../../src/observe/source-maps.ts';

/** Line 1, column 1 of the code is line 5, column 3 of the source; "IAEE" in Base64 VLQ: +4 (the "I" of the second figure). */
const payload = (source: string, sourceRoot = ''): string =>
  JSON.stringify({ version: 3, sources: [source], names: [], mappings: 'AAIE', sourceRoot });

describe('observe/source-maps', () => {
  let folder: string;
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const stackAt = (path: string, place = '1:7'): string =>
    `Error: x\n    at run (${path}:${place})\n    at node:fs:1:1`;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'viaduct-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('takes places from the map beside the code', () => {
    file('app.js.map', payload('../src/app.ts'));
    const path = file('app.js', 'throw 1\n//# sourceMappingURL=app.js.map\n');
    const source = join(folder, '../src/app.ts');
    expect(mapStack(stackAt(path))).to.equal(`Error: x\n    at run (${source}:5:3)\n    at node:fs:1:1`);
    expect(mapStack(`E\n    at file://${path}:1:7`)).to.equal(`E\n    at ${source}:5:3`);
  });

  it('takes a map within the code, and its sourceRoot', () => {
    const data = Buffer.from(payload('app.ts', '/srv/src')).toString('base64');
    const path = file(
      'app.mjs',
      `x\n//# sourceMappingURL=data:application/json;charset=utf-8;base64,${data}`,
    );
    expect(mapStack(stackAt(path))).to.contain('at run (/srv/src/app.ts:5:3)');
  });

  it('reads a file once: what runs is what stood there', () => {
    file('app.js.map', payload('app.ts'));
    const path = file('app.js', 'x\n//# sourceMappingURL=app.js.map');
    expect(mapStack(stackAt(path))).to.contain('app.ts:5:3');
    rmSync(path);
    expect(mapStack(stackAt(path))).to.contain('app.ts:5:3');
  });

  it('leaves alone what has no map, or a broken one', () => {
    const broken = file('broken.js', 'x\n//# sourceMappingURL=data:application/json,nonsense');
    const gone = file('gone.js', 'x\n//# sourceMappingURL=gone.js.map');
    const empty = file('empty.js', 'x\n//# sourceMappingURL=empty.js.map');
    file('empty.js.map', JSON.stringify({ version: 3, sources: [], names: [], mappings: '' }));
    for (const path of [broken, gone, empty, join(folder, 'nowhere.js'), '/dev/zero.js', folder + '.js'])
      expect(mapStack(stackAt(path))).to.equal(stackAt(path));
    const python = 'Traceback\n  File "/x/app.py", line 1, in f';
    expect(mapStack(python)).to.equal(python);
  });
});
