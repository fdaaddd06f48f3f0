import { expect } from 'chai';
import type { MountConfig } from '../../../src/config/types.ts';
import { mountOf } from '../../../src/runtime/blame.ts';

const mount = (name: string, file: string): Pick<MountConfig, 'name' | 'app'> => ({
  name,
  app: { kind: 'file', file, exportName: null },
});
const MOUNTS = [
  mount('outer', '/srv/app.js'),
  mount('shop', '/srv/shop/app.js'),
  mount('twin a', '/srv/twin/a.js'),
  mount('twin b', '/srv/twin/b.js'),
  { name: 'hello', app: { kind: 'builtin', builtin: 'viaduct:hello' } as const },
];

function thrownAt(...places: string[]): Error {
  const error = new Error('x');
  error.stack = ['Error: x', ...places.map((place) => `    at f (${place})`)].join('\n');
  return error;
}

describe('runtime/blame', () => {
  it('names the mount whose folder comes first', () => {
    expect(
      mountOf(
        thrownAt('node:timers:1:2', '/opt/lib.js:1:2', '/srv/shop/lib/x.js:3:4', '/srv/app.js:1:1'),
        MOUNTS,
      ),
    ).to.equal('shop');
    expect(mountOf(thrownAt('file:///srv/other.js:1:2'), MOUNTS)).to.equal('outer');
  });

  it('tells two apps of one folder by their own files', () => {
    expect(mountOf(thrownAt('/srv/twin/b.js:1:2', '/srv/shop/app.js:1:1'), MOUNTS)).to.equal('twin b');
  });

  it('names none where it cannot tell', () => {
    for (const error of [
      thrownAt('/srv/twin/lib.js:1:2', '/srv/shop/app.js:1:1'),
      thrownAt('/opt/x.js:1:1'),
      'x',
      undefined,
    ])
      expect(mountOf(error, MOUNTS)).to.equal(undefined);
  });
});
