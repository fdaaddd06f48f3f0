import { expect } from 'chai';
import { takePassedSockets } from '../../../src/runtime/passed-sockets.ts';

const PID = 4711;

function refusal(env: NodeJS.ProcessEnv, name = 'web'): string {
  try {
    takePassedSockets(env, PID).named(name);
  } catch (error) {
    expect(error).to.have.property('code', 'ERR_SOCKET_NOT_PASSED');
    return error instanceof Error ? error.message : '';
  }
  throw new Error('Expected an error');
}

describe('takePassedSockets()', () => {
  it('gives the descriptors of a name, from 3 on, in their order', () => {
    const passed = takePassedSockets(
      { LISTEN_PID: '4711', LISTEN_FDS: '3', LISTEN_FDNAMES: 'web:api:web' },
      PID,
    );
    expect(passed.named('web')).to.deep.equal([3, 5]);
    expect(passed.named('api')).to.deep.equal([4]);
  });

  it('calls sockets without names "unknown"', () => {
    const passed = takePassedSockets({ LISTEN_PID: '4711', LISTEN_FDS: '2' }, PID);
    expect(passed.named('unknown')).to.deep.equal([3, 4]);
  });

  it('leaves nothing of it to children, and the rest alone', () => {
    const env = { LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'web', LISTEN_PIDFDID: '7', HOME: '/h' };
    takePassedSockets(env, PID);
    expect(env).to.deep.equal({ HOME: '/h' });
  });

  const refused: [what: string, env: NodeJS.ProcessEnv, message: RegExp][] = [
    [
      'says that none were passed',
      {},
      /^Cannot listen on systemd:web: systemd passed no sockets \(LISTEN_PID and/,
    ],
    [
      'says which process they were passed to',
      { LISTEN_PID: '12', LISTEN_FDS: '1', LISTEN_FDNAMES: 'web' },
      /passed to process 12 \(LISTEN_PID\), this is 4711/,
    ],
    [
      'names those that there are',
      { LISTEN_PID: '4711', LISTEN_FDS: '3', LISTEN_FDNAMES: 'a:b:a' },
      /no socket of that name, it passed "a", "b"$/,
    ],
    ['refuses a number that is none', { LISTEN_PID: '4711', LISTEN_FDS: 'x' }, /LISTEN_FDS is "x"/],
    [
      'refuses names that do not fit the number',
      { LISTEN_PID: '4711', LISTEN_FDS: '1', LISTEN_FDNAMES: 'web:api' },
      /LISTEN_FDNAMES has 2 names, wanted 1/,
    ],
  ];
  for (const [what, env, message] of refused) {
    it(what, () => expect(refusal(env)).to.match(message));
  }
});
