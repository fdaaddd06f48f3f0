// The control channel: lines whole or in pieces, and what is no message.
import { expect } from 'chai';
import { PassThrough } from 'node:stream';
import { type FromPython, PythonControl, readMessage } from '../../../../src/runtime/python/control.ts';
import { environment } from '../../../../src/runtime/python/start-python.ts';

describe('runtime/python/control', () => {
  it('cuts what it reads into messages, wherever its pieces end, and tells what is none', async () => {
    const socket = new PassThrough();
    const messages: FromPython[] = [];
    const noise: string[] = [];
    const control = new PythonControl(
      socket,
      (message) => messages.push(message),
      (line) => noise.push(line),
    );
    const text = '{"kind": "ready"}\nhello\n{"kind": "stats", "requests": 3, "busy": 1, "lanes": 2}\n';
    for (const byte of Buffer.from(text)) socket.write(Buffer.of(byte));
    socket.write('{"kind": "ready"}');
    await new Promise((resolve) => setImmediate(resolve));
    expect(messages).to.deep.equal([{ kind: 'ready' }, { kind: 'stats', requests: 3, busy: 1 }]);
    expect(noise).to.deep.equal(['hello']);
    socket.destroy();
    control.send({ kind: 'drain' });
  });

  it('does not keep a line without an end', async () => {
    const socket = new PassThrough();
    const noise: number[] = [];
    const control = new PythonControl(
      socket,
      () => undefined,
      (line) => noise.push(line.length),
    );
    for (let count = 0; count < 5; count += 1) socket.write('x'.repeat(1024 * 1024));
    await new Promise((resolve) => setImmediate(resolve));
    expect(noise).to.have.lengthOf(1);
    expect(control).to.be.instanceOf(PythonControl);
  });

  for (const line of ['', '[]', 'null', '1', '{"kind": "other"}', '{}', '{"kind":'])
    it(`takes ${line === '' ? 'nothing' : line} for no message`, () =>
      void expect(readMessage(line)).to.equal(null));

  it('believes no type it was not told of', () => {
    expect(readMessage('{"kind": "stats", "requests": "many", "busy": -1}')).to.deep.equal({
      kind: 'stats',
      requests: 0,
      busy: 0,
    });
    expect(
      readMessage('{"kind": "stacks", "threads": [1, {"thread": "a", "busy": 1, "stack": "s"}]}'),
    ).to.deep.equal({ kind: 'stacks', threads: [{ thread: null, busy: false, stack: 's' }] });
  });
});

describe('runtime/python/start-python', () => {
  it('gives a process our environment without what is ours alone, and the env of its mount on top', () => {
    const ours = {
      PATH: '/bin',
      LANG: 'de_DE.UTF-8',
      NODE_OPTIONS: '--inspect',
      NODE_CHANNEL_FD: '3',
      LISTEN_FDS: '1',
      LISTEN_PID: '1',
      NOTIFY_SOCKET: '/run/x',
      WATCHDOG_USEC: '1',
      npm_config_x: '1',
    };
    expect(environment(ours, { KEY: 'secret', PATH: '/opt' })).to.deep.equal({
      PATH: '/opt',
      LANG: 'de_DE.UTF-8',
      KEY: 'secret',
    });
    expect(environment({}, {})).to.deep.equal({ LANG: 'C.UTF-8' });
  });
});
