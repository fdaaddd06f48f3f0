import { expect } from 'chai';
import {
  AccessChoice,
  type AccessChoiceOptions,
  type Choosable,
} from '../../../src/observe/access-choice.ts';

const GOOD: Choosable = { mountName: '/', status: 200, duration: 1, aborted: null };

function choice(
  options: Partial<AccessChoiceOptions>,
): (request?: Partial<Choosable>, path?: string) => boolean {
  const made = new AccessChoice({ sample: 1, exclude: [], silent: new Set(), slow: 2000, ...options });
  return (request = {}, path = '/') => made.wants({ ...GOOD, ...request }, () => path);
}

const NOT_WELL: Partial<Choosable>[] = [
  { status: 400 },
  { status: 404 },
  { status: 500 },
  { status: 0 },
  { aborted: 'sending' },
  { duration: 2001 },
];

describe('observe/access-choice', () => {
  it('takes all unless told', () => {
    expect(choice({})()).to.equal(true);
  });

  it('takes a part of what went well', () => {
    const values = [0, 0.24, 0.25, 0.9];
    const wants = choice({ sample: 0.25, random: () => values.shift() ?? 1 });
    expect([wants(), wants(), wants(), wants()]).to.deep.equal([true, true, false, false]);
    expect(choice({ sample: 0, random: () => 0 })()).to.equal(false);
  });

  it('always takes what went wrong, was slow or broke off', () => {
    const wants = choice({ sample: 0, exclude: ['*'] });
    expect(NOT_WELL.map((request) => wants(request))).to.deep.equal(NOT_WELL.map(() => true));
    expect(wants({ status: 304 })).to.equal(false);
    expect(choice({ sample: 0, slow: 0 })({ duration: 1e9 })).to.equal(false);
  });

  it('leaves out paths, at which * stands for anything', () => {
    const wants = choice({ exclude: ['/healthz', '/static/*', '*.map', '/a/*/b*c', '/caf\u00c3\u00a9'] });
    const out = [
      '/healthz',
      '/static/',
      '/static/x/y',
      '/x.map',
      '/a//bc',
      '/a/x/y/bzzc',
      '/caf\u00c3\u00a9',
    ];
    const kept = ['/healthz/', '/xhealthz', '/static', '/x.map/', '/a/bc', '/a/x/b', '/.*', '/cafe'];
    expect(out.filter((path) => wants({}, path))).to.deep.equal([]);
    expect(kept.filter((path) => !wants({}, path))).to.deep.equal([]);
  });

  it('does not let the parts of a pattern overlap', () => {
    const wants = choice({ exclude: ['/ab*ba', '/x*yz*z'] });
    expect([wants({}, '/aba'), wants({}, '/abba'), wants({}, '/xyz'), wants({}, '/xyzz')]).to.deep.equal([
      true,
      false,
      true,
      false,
    ]);
  });

  it('leaves a whole mount out', () => {
    const wants = choice({ silent: new Set(['quiet']) });
    expect([wants({ mountName: 'quiet', status: 500 }), wants({ mountName: '/' })]).to.deep.equal([
      false,
      true,
    ]);
  });
});
