// What goes wrong in Python processes, and what it costs: those that die, hang, leak or never load.
import { expect } from 'chai';
import { type Daemon, type DaemonOptions, startDaemon } from '../../helpers/daemon.ts';
import { type HttpResponse, request } from '../../helpers/http-client.ts';
import { findProcesses, pythonMount } from '../../helpers/python.ts';
import { waitFor } from '../../helpers/wait.ts';

const HTTP = { address: 'unix:{{dir}}/http.sock', protocol: 'http' };

describe('Python processes that fail', function () {
  this.timeout(30_000);
  let daemon: Daemon;
  afterEach(() => daemon.remove());

  const start = async (
    mount: object,
    more: object = {},
    options: Partial<DaemonOptions> = {},
  ): Promise<void> => {
    const mounts = [
      { path: '/', ...mount },
      { path: '/other', app: 'viaduct:hello' },
    ];
    daemon = await startDaemon({ ...options, config: { listeners: [HTTP], mounts, ...more } });
  };
  const get = (path: string, method = 'GET'): Promise<HttpResponse> =>
    request({ socketPath: daemon.socket('http'), path, method });
  /** The pids of the Python processes that serve. */
  const pids = async (): Promise<number[]> => {
    const { workers } = await daemon.status();
    return workers.flatMap(({ kind, pid, state }) =>
      kind === 'python' && state === 'ready' && pid !== null ? [pid] : [],
    );
  };
  const exits = (reason: string): Promise<number> =>
    daemon.metric('viaduct_worker_exits_total', { kind: 'python', reason });

  it('that are killed lose the requests inside them, and no other', async () => {
    await start(pythonMount('faults:application', {}, { processes: 2, threads: 2 }));
    const [victim = 0] = await pids();
    const inside = Array.from({ length: 4 }, () => get('/sleep?1', 'POST'));
    await waitFor(async () => (await daemon.status()).requests_in_flight === 4, { what: 'all to be inside' });
    process.kill(victim, 'SIGKILL');
    const codes = (await Promise.all(inside)).map(({ status }) => status).toSorted((a, b) => a - b);
    expect(codes).to.deep.equal([200, 200, 502, 502]);
    await waitFor(async () => (await pids()).length === 2, { what: 'the process to be followed by another' });
    expect(await pids()).to.not.include(victim);
    expect(await exits('signal')).to.equal(1);
  });

  it('that are killed under load lose no request that can be sent again', async () => {
    await start(pythonMount('faults:application', {}, { processes: 2, threads: 2 }), { workers: 2 });
    const done = new AbortController();
    const statuses = new Map<number, number>();
    const clients = Array.from({ length: 6 }, async () => {
      while (!done.signal.aborted) {
        const { status } = await get('/sleep?0.005');
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    });
    for (let round = 0; round < 3; round += 1) {
      const [victim = 0] = await waitFor(async () => ((await pids()).length === 2 ? await pids() : null), {
        what: 'both to serve',
      });
      process.kill(victim, 'SIGKILL');
      await waitFor(async () => !(await pids()).includes(victim), { what: 'it to be gone' });
    }
    done.abort();
    await Promise.all(clients);
    expect([...statuses.keys()], JSON.stringify([...statuses])).to.deep.equal([200]);
  });

  it('that end themselves answer 502, are sent an idempotent request twice, and break off what had begun', async () => {
    await start(pythonMount('faults:application', {}, { processes: 2, threads: 1 }));
    expect((await get('/exit', 'POST')).status).to.equal(502);
    expect(await exits('crash')).to.equal(1);
    expect((await get('/exit')).status).to.equal(502);
    await waitFor(async () => (await exits('crash')) === 3, { what: 'the second try to end a process, too' });
    const begun = await get('/break');
    expect([begun.status, begun.text, begun.complete]).to.deep.equal([200, 'begun', false]);
    await waitFor(async () => (await pids()).length === 2, { what: 'both to be back' });
    expect((await get('/')).status).to.equal(200);
    await daemon.waitForLog(({ msg }) => msg === 'A Python process ended by exit code 7', 'of its end');
  });

  it('that take too long answer 504, say where they stand, and are replaced before they end', async () => {
    await start(
      pythonMount('faults:application', { timeouts: { request: '1s' } }, { processes: 1, threads: 2 }),
    );
    const [before] = await pids();
    const late = await get('/sleep?4');
    expect(late.status).to.equal(504);
    const line = await daemon.waitForLog(({ stack }) => typeof stack === 'string', 'with the stack');
    expect(line).to.include({ mount: '/', process: 0, process_pid: before });
    expect(line['stack']).to.include('wait_for_it').and.include('faults.py');
    await waitFor(async () => (await pids()).some((pid) => pid !== before), { what: 'another process' });
    expect((await get('/')).text).to.equal(String((await pids())[0]));
    await waitFor(async () => (await exits('stuck')) === 1, { what: 'the old one to end', timeout: 10_000 });
  });

  it('that are left by their client are reported as well, once a request had to be over', async () => {
    await start(
      pythonMount('faults:application', { timeouts: { request: '1s' } }, { processes: 1, threads: 2 }),
    );
    const [before] = await pids();
    const gone = await request({ socketPath: daemon.socket('http'), path: '/sleep?30', timeout: 200 });
    expect(gone.status).to.equal(0);
    await daemon.waitForLog(
      ({ uri, thread }) => uri === '/sleep?30' && thread !== undefined,
      'of its thread',
    );
    await waitFor(async () => (await pids()).some((pid) => pid !== before), { what: 'another process' });
  });

  it('that leak are replaced, those that have served enough, too; nobody notices', async () => {
    const mount = pythonMount('faults:application', {}, { processes: 2, threads: 2, max_memory: '60M' });
    await start(mount, { recycle: { jitter: '0%' } });
    const before = await pids();
    expect((await get('/leak?80000000')).status).to.equal(200);
    let failed = 0;
    await waitFor(
      async () => {
        const { status } = await get('/');
        if (status !== 200) failed += 1;
        return (await exits('max_memory')) === 1;
      },
      { what: 'the fat process to be replaced', timeout: 10_000 },
    );
    expect(failed).to.equal(0);
    expect((await pids()).filter((pid) => before.includes(pid))).to.have.lengthOf(1);
  });

  it('are replaced after max_requests, without a request lost', async () => {
    const mount = pythonMount('faults:application', {}, { processes: 1, threads: 2, max_requests: 50 });
    await start(mount, { recycle: { jitter: '20%' } });
    let failed = 0;
    await waitFor(
      async () => {
        for (const { status } of await Promise.all([get('/', 'POST'), get('/', 'POST')]))
          if (status !== 200) failed += 1;
        return (await exits('max_requests')) >= 2;
      },
      { what: 'two replacements', timeout: 15_000, interval: 0 },
    );
    expect(failed).to.equal(0);
  });

  it('have what they print in the log, with their mount and number', async () => {
    await start(pythonMount('faults:application', { name: 'faulty' }, { processes: 1 }));
    await get('/print');
    for (const [msg, stream] of [
      ['to stdout: ü', 'stdout'],
      ['to stderr', 'stderr'],
    ]) {
      const line = await daemon.waitForLog((each) => each['msg'] === msg, `"${msg}"`);
      expect(line).to.include({ mount: 'faulty', process: 0, stream });
    }
    const line = await daemon.waitForLog(({ msg }) => msg === 'to wsgi.errors', '"to wsgi.errors"');
    expect(line).to.include({ mount: 'faulty', uri: '/print' }).and.to.have.property('request_id');
  });

  it('are gone 2 s after the master was killed, with what they were busy with', async () => {
    const word = `marked-${process.pid}-${performance.now()}`;
    await start(pythonMount('faults:application', { env: { WORD: word } }, { processes: 2, threads: 2 }));
    expect((await get('/word')).text).to.equal(word);
    const hanging = get('/sleep?30');
    await waitFor(async () => (await daemon.status()).requests_in_flight === 1, { what: 'it to be inside' });
    expect(findProcesses('worker.py', word)).to.have.lengthOf(2);
    daemon.kill('SIGKILL');
    await waitFor(() => findProcesses('worker.py', word).length === 0, {
      what: 'all Python processes to be gone',
      timeout: 2000,
    });
    expect((await hanging).status).to.not.equal(200);
  });

  it('are followed with a pause that grows where they keep ending', async () => {
    await start(pythonMount('faults:application', {}, { processes: 1, threads: 1 }));
    const times: number[] = [];
    for (let count = 1; count <= 3; count += 1) {
      const from = performance.now();
      await get('/exit', 'POST');
      await waitFor(async () => (await exits('crash')) === count, { what: 'it to be gone' });
      await waitFor(async () => (await pids()).length === 1, { what: `start ${count}`, timeout: 10_000 });
      times.push(performance.now() - from);
    }
    expect(times[0]).to.be.above(190);
    expect(times[1]).to.be.above(390);
    expect(times[2]).to.be.above(790);
  });

  if (process.getuid?.() === 0) {
    it('run as the user of the configuration', async () => {
      await start(pythonMount('faults:application'), { user: 'www-data' }, { open: true });
      expect((await get('/who')).text).to.match(/^33:33$/);
    });
  }
});
