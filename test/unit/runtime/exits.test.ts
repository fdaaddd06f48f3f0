import { expect } from 'chai';
import { describeExit, type Ending, exitReason } from '../../../src/runtime/exits.ts';

const KILLED: Ending = {
  asked: null,
  served: true,
  code: null,
  signal: 'SIGKILL',
  silent: false,
  heapFull: false,
};

describe('runtime/exits', () => {
  const cases: [what: string, ending: Ending, reason: string][] = [
    ['asked for, however it ended', { ...KILLED, asked: 'reload' }, 'reload'],
    ['killed by somebody', KILLED, 'signal'],
    ['killed by its watchdog', { ...KILLED, silent: true }, 'stuck'],
    ['silent, and then gone of itself', { ...KILLED, silent: true, signal: 'SIGSEGV' }, 'crash'],
    ['a fault in native code', { ...KILLED, signal: 'SIGSEGV' }, 'crash'],
    ['process.abort()', { ...KILLED, signal: 'SIGABRT' }, 'crash'],
    ['V8 out of memory', { ...KILLED, signal: 'SIGABRT', heapFull: true }, 'oom'],
    ['process.exit(0)', { ...KILLED, signal: null, code: 0 }, 'crash'],
    ['an exception', { ...KILLED, signal: null, code: 1 }, 'crash'],
    ['before it served', { ...KILLED, served: false }, 'boot_error'],
    ['out of memory before it served', { ...KILLED, served: false, heapFull: true }, 'oom'],
  ];
  for (const [what, ending, reason] of cases) {
    it(`calls ${what}: ${reason}`, () => {
      expect(exitReason(ending)).to.equal(reason);
    });
  }

  it('describes them', () => {
    expect(describeExit(KILLED)).to.equal('signal SIGKILL');
    expect(describeExit({ code: 3, signal: null })).to.equal('exit code 3');
  });
});
