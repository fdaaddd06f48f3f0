import { join } from 'node:path';
import { expect } from 'chai';
import { SystemdNotifier } from '../../../src/runtime/systemd.ts';
import { NotifyReceiver } from '../../helpers/systemd.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';
import { waitFor } from '../../helpers/wait.ts';

describe('SystemdNotifier', () => {
  let folder = '';
  let receiver: NotifyReceiver | undefined;
  let notifier: SystemdNotifier | undefined;
  const warnings: string[] = [];

  beforeEach(async () => {
    folder = await makeTempDir();
    warnings.length = 0;
  });
  afterEach(async () => {
    await notifier?.stop();
    receiver?.close();
    await removeTempDir(folder);
  });

  function notify(env: NodeJS.ProcessEnv): SystemdNotifier {
    notifier = new SystemdNotifier({ PATH: process.env['PATH'], ...env }, (text) => warnings.push(text));
    return notifier;
  }

  async function open(name = join(folder, 'notify')): Promise<{ NOTIFY_SOCKET: string }> {
    receiver = await NotifyReceiver.open(name);
    return { NOTIFY_SOCKET: name };
  }

  /** What was said, without the barriers of systemd-notify. */
  const said = (): string[] => receiver?.messages.filter((message) => message !== 'BARRIER=1') ?? [];

  it('says in order what happens', async () => {
    const about = notify(await open());
    about.ready('Serving on 2 workers');
    about.reloading();
    about.ready('Serving on\n3 workers');
    about.stopping();
    await about.stop();
    await receiver?.waitFor('STOPPING=1');
    const [first, reload, second, last] = said().map((message) => message.trimEnd());
    const main = `MAINPID=${process.pid}`;
    expect(first).to.equal(`READY=1\nSTATUS=Serving on 2 workers\n${main}`);
    expect(second).to.equal(`READY=1\nSTATUS=Serving on 3 workers\n${main}`);
    expect(last).to.equal('STOPPING=1');
    const [, time] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(reload ?? '') ?? [];
    const age = Number(process.hrtime.bigint() / 1000n) - Number(time);
    expect(age).to.be.within(0, 30e6);
    expect(warnings).to.deep.equal([]);
  });

  it('sends of several states that wait only the newest', async () => {
    const about = notify(await open());
    for (const text of ['one', 'two', 'three']) about.status(text);
    await about.stop();
    await receiver?.waitFor('three');
    expect(said().join('')).to.not.include('two');
  });

  it('takes an abstract socket', async () => {
    notify(await open(`@viaduct-test-${process.pid}`)).status('here');
    expect(await receiver?.waitFor('STATUS=here')).to.be.a('string');
  });

  for (const [what, owner] of [
    ['of this process', { WATCHDOG_PID: String(process.pid) }],
    ['of whoever it is', {}],
  ] as const) {
    it(`gives signs of life where it is the watchdog ${what}`, async () => {
      const about = notify({ ...(await open()), WATCHDOG_USEC: '200000', ...owner });
      about.startWatchdog();
      const count = (): number => said().filter((message) => message.trimEnd() === 'WATCHDOG=1').length;
      await waitFor(() => count() >= 3, { what: 'three signs of life' });
    });
  }

  it('gives none for the watchdog of another process, nor without one', async () => {
    const env = await open();
    for (const more of [{ WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' }, {}, { WATCHDOG_USEC: 'often' }]) {
      const about = notify({ ...env, ...more });
      about.startWatchdog();
      about.status('after');
      await about.stop();
    }
    await waitFor(() => said().length === 3, { what: 'three states' });
    expect(said().join('')).to.not.include('WATCHDOG');
  });

  it('leaves nothing of it to children', () => {
    const env = { NOTIFY_SOCKET: '/n', WATCHDOG_USEC: '1', WATCHDOG_PID: '1', HOME: '/h' };
    notifier = new SystemdNotifier(env, () => undefined);
    expect(env).to.deep.equal({ HOME: '/h' });
  });

  it('does nothing without systemd', async () => {
    const about = notify({ PATH: '/nowhere', WATCHDOG_USEC: '1000' });
    about.ready('here');
    about.startWatchdog();
    await about.stop();
    expect(warnings).to.deep.equal([]);
  });

  it('warns once where systemd cannot be told', async () => {
    const about = notify({ PATH: '/nowhere', NOTIFY_SOCKET: join(folder, 'nobody') });
    about.ready('here');
    about.status('still here');
    await about.stop();
    expect(warnings).to.have.lengthOf(1);
    expect(warnings[0]).to.match(/^Cannot tell systemd READY=1 .*systemd-notify cannot be run \(.*ENOENT/);
  });

  it('warns where nobody listens', async () => {
    const about = notify({ NOTIFY_SOCKET: join(folder, 'nobody') });
    about.stopping();
    await about.stop();
    expect(warnings.join()).to.match(/^Cannot tell systemd STOPPING=1: systemd-notify ended with 1;/);
  });
});
