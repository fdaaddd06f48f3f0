// Python processes over the life of viaduct: how they start, what a reload takes on or refuses, and that nothing is lost while
// workers and processes come and go.
import { expect } from 'chai';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CliResult, runViaduct } from '../../helpers/cli.ts';
import { type Daemon, startDaemon } from '../../helpers/daemon.ts';
import { type HttpResponse, request } from '../../helpers/http-client.ts';
import { findProcesses, PYTHON } from '../../helpers/python.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';
import { waitFor } from '../../helpers/wait.ts';

const HTTP = { address: 'unix:{{dir}}/http.sock', protocol: 'http' };

const answering = (text: string): string =>
  `import time
def application(environ, start_response):
    if environ['QUERY_STRING']:
        time.sleep(float(environ['QUERY_STRING']))
    start_response('200 OK', [])
    return [b'${text}']
`;
const BROKEN = 'def boot():\n    raise RuntimeError("no database")\nboot()\n';

/** A mount of the file app.py in the daemon's folder. */
const own = (more: object = {}, python: object = {}): object => ({
  path: '/',
  app: 'app:application',
  interface: 'python',
  ...more,
  python: { executable: PYTHON, processes: 2, threads: 2, ...python },
});

describe('Python mounts', function () {
  this.timeout(30_000);
  let daemon: Daemon;
  afterEach(() => daemon.remove());

  const start = async (app: string, mounts: object[], more: object = {}): Promise<void> => {
    daemon = await startDaemon({ config: { listeners: [HTTP], mounts, ...more }, files: { 'app.py': app } });
  };
  const get = (path: string, method = 'GET'): Promise<HttpResponse> =>
    request({ socketPath: daemon.socket('http'), path, method });
  const verb = (name: string, ...args: string[]): Promise<CliResult> =>
    runViaduct([name, ...args, '-c', join(daemon.dir, 'viaduct.yaml')]);
  /** Requests without a pause until stop(); its result is how many answers of each kind came. */
  const load = (clients: number, path: string): { stop(): Promise<Record<string, number>> } => {
    const done = new AbortController();
    const found: Record<string, number> = {};
    const running = Array.from({ length: clients }, async () => {
      while (!done.signal.aborted) {
        const { status, text } = await get(path, 'POST');
        const key = status === 200 ? text : String(status);
        found[key] = (found[key] ?? 0) + 1;
      }
    });
    return {
      stop: async () => {
        done.abort();
        await Promise.all(running);
        return found;
      },
    };
  };
  const ready = async (kind: string): Promise<number[]> =>
    (await daemon.status()).workers.flatMap((row) =>
      row.kind === kind && row.state === 'ready' && row.pid !== null ? [row.pid] : [],
    );

  describe('in a reload', () => {
    it('serve new code without losing a request, and the old processes go', async () => {
      await start(answering('one'), [own()], { workers: 2 });
      const before = await ready('python');
      const traffic = load(4, '/?0.01');
      await waitFor(async () => (await daemon.metric('viaduct_requests_total')) > 20, {
        what: 'some traffic',
      });
      await daemon.write('app.py', answering('two'));
      const { code, stderr } = await verb('reload');
      expect(code, stderr).to.equal(0);
      expect((await get('/')).text).to.equal('two');
      await waitFor(async () => (await daemon.status()).workers.every(({ generation }) => generation === 2), {
        what: 'the old generation to be gone',
      });
      const found = await traffic.stop();
      expect(Object.keys(found)).to.have.members(['one', 'two']);
      expect(await ready('python'))
        .to.have.lengthOf(2)
        .and.not.include.members(before);
      for (const pid of before) expect(() => process.kill(pid, 0)).to.throw('ESRCH');
      const lanes = readdirSync(join(daemon.dir, 'run/lanes'));
      expect(lanes.filter((name) => !name.startsWith('2-'))).to.deep.equal([]);
    });

    it('that do not load are refused with their traceback, and the old ones go on', async () => {
      await start(answering('one'), [own()]);
      await daemon.write('app.py', BROKEN);
      const { code, stderr } = await verb('reload');
      expect(code).to.equal(4);
      expect(stderr).to.include('RuntimeError: no database').and.include('app.py", line 2, in boot');
      expect((await get('/')).text).to.equal('one');
      expect((await daemon.status()).generation).to.equal(1);
      expect(await ready('python')).to.have.lengthOf(2);
    });

    it('let a request that is inside them end', async () => {
      await start(answering('one'), [own()]);
      const inside = get('/?1.5', 'POST');
      await waitFor(async () => (await daemon.status()).requests_in_flight === 1, {
        what: 'it to be inside',
      });
      await daemon.write('app.py', answering('two'));
      expect((await verb('reload')).code).to.equal(0);
      expect((await get('/')).text).to.equal('two');
      expect((await inside).text).to.equal('one');
    });
  });

  describe('that do not load', () => {
    it('answer 503 with Retry-After while others serve, and serve once they are mended', async () => {
      daemon = await startDaemon({
        config: {
          listeners: [HTTP],
          mounts: [own({ path: '/python' }), { path: '/', app: 'viaduct:hello' }],
          admin: false,
        },
        files: { 'app.py': BROKEN },
      });
      expect((await get('/')).status).to.equal(200);
      const from = performance.now();
      const refused = await get('/python');
      expect([refused.status, refused.header('retry-after')]).to.deep.equal([503, '5']);
      expect(performance.now() - from).to.be.below(2000);
      const line = await daemon.waitForLog(
        ({ level, mount }) => level === 'error' && mount === '/python',
        'why',
      );
      expect(line['msg']).to.include('RuntimeError: no database').and.include('app.py", line 2, in boot');
      await daemon.write('app.py', answering('mended'));
      await waitFor(async () => (await get('/python')).text === 'mended', {
        what: 'the app to be tried again',
        timeout: 10_000,
      });
    });

    it('make /readyz say so', async () => {
      const page = { admin: { address: 'unix:{{dir}}/page.sock' } };
      await start(
        BROKEN,
        [own({ path: '/python', name: 'shop' }), { path: '/', app: 'viaduct:hello' }],
        page,
      );
      const { status, text } = await request({ socketPath: daemon.socket('page'), path: '/readyz' });
      expect(status).to.equal(503);
      expect(text).to.include('mount shop did not boot: RuntimeError: no database');
    });
  });

  describe('and workers', () => {
    const settled = async (workers: number): Promise<void> => {
      await waitFor(async () => (await ready('node')).length === workers, { what: `${workers} workers` });
    };

    it('lose no request while workers are recycled', async () => {
      const mount = own({}, { max_requests: 0 });
      await start(answering('one'), [mount], { workers: 2, recycle: { max_requests: 100, jitter: '0%' } });
      const python = await ready('python');
      const traffic = load(4, '/');
      const recycled = { kind: 'node', reason: 'max_requests' };
      await waitFor(async () => (await daemon.metric('viaduct_worker_exits_total', recycled)) >= 3, {
        what: 'three workers to be replaced',
        timeout: 20_000,
      });
      expect(Object.keys(await traffic.stop())).to.deep.equal(['one']);
      expect(await daemon.metric('viaduct_worker_exits_total', { kind: 'python' })).to.equal(0);
      expect((await ready('python')).toSorted((a, b) => a - b)).to.deep.equal(
        python.toSorted((a, b) => a - b),
      );
    });

    /** sched(7): 0 is SCHED_OTHER, 3 is SCHED_BATCH; "policy" in /proc/PID/stat. */
    const policyOf = (pid: number | undefined): number =>
      Number(
        readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /, '')
          .split(' ')[38],
      );

    for (const [what, more, policy] of [
      ['nothing else', [], 3],
      ['JavaScript too', [{ path: '/js', app: 'viaduct:hello' }], 0],
    ] as const) {
      it(`wait where Python has the processor, if they serve ${what}: ${policy === 3}`, async () => {
        await start(answering('one'), [own(), ...more], { workers: 1 });
        expect((await get('/')).text).to.equal('one');
        const [[worker], [python]] = [await ready('node'), await ready('python')];
        expect([policyOf(worker), policyOf(python)]).to.deep.equal([policy, 0]);
      });
    }

    it('find each other again where a worker was killed', async () => {
      await start(answering('one'), [own({}, { processes: 1 })], { workers: 1 });
      const [worker = 0] = await ready('node');
      process.kill(worker, 'SIGKILL');
      await waitFor(async () => (await get('/')).text === 'one', { what: 'an answer' });
      expect(await ready('node')).to.not.include(worker);
    });

    it('share the threads anew where there are more workers or fewer', async () => {
      await start(answering('one'), [own()], { workers: 1 });
      const traffic = load(6, '/?0.002');
      for (const [signal, workers] of [
        ['SIGTTIN', 2],
        ['SIGTTIN', 3],
        ['SIGTTOU', 2],
        ['SIGTTOU', 1],
      ] as const) {
        daemon.kill(signal);
        await settled(workers);
        expect((await get('/')).text).to.equal('one');
      }
      for (let workers = 2; workers <= 4; workers += 1) {
        daemon.kill('SIGTTIN');
        await settled(workers);
      }
      daemon.kill('SIGTTIN');
      await daemon.waitForLog(
        ({ msg }) => String(msg).startsWith('Cannot serve mount /: Expected'),
        'no more',
      );
      await settled(4);
      expect(Object.keys(await traffic.stop())).to.deep.equal(['one']);
    });
  });

  describe('in a stop', () => {
    it('let a request end, and leave nothing', async () => {
      const word = `stop-${process.pid}-${performance.now()}`;
      await start(answering('one'), [own({ env: { WORD: word } })]);
      const inside = get('/?1');
      await waitFor(async () => (await daemon.status()).requests_in_flight === 1, {
        what: 'it to be inside',
      });
      expect(findProcesses('worker.py', word)).to.have.lengthOf(2);
      expect(await daemon.stop()).to.equal(0);
      expect((await inside).text).to.equal('one');
      expect(findProcesses('worker.py', word)).to.deep.equal([]);
      expect(readdirSync(join(daemon.dir, 'run'))).to.deep.equal(['lanes']);
      expect(readdirSync(join(daemon.dir, 'run/lanes'))).to.deep.equal([]);
    });

    it('of graceful: 0, or at once, cut it off', async () => {
      await start(answering('one'), [own()]);
      const inside = get('/?20');
      await waitFor(async () => (await daemon.status()).requests_in_flight === 1, {
        what: 'it to be inside',
      });
      const from = performance.now();
      expect((await verb('stop', '--now')).code).to.equal(0);
      expect((await inside).status).to.not.equal(200);
      expect(performance.now() - from).to.be.below(3000);
    });
  });
});

describe('Python mounts that do not load', function () {
  this.timeout(30_000);
  let folder = '';
  beforeEach(async () => {
    folder = await makeTempDir();
  });
  afterEach(() => removeTempDir(folder));

  const run = async (app: string, args: string[], mount = own()): Promise<CliResult> => {
    const listeners = [{ address: 'unix:http.sock', protocol: 'http' }];
    writeFileSync(join(folder, 'viaduct.yaml'), JSON.stringify({ listeners, mounts: [mount], admin: false }));
    writeFileSync(join(folder, 'app.py'), app);
    return runViaduct([...args, '-c', join(folder, 'viaduct.yaml')]);
  };

  it('end a start where nothing else serves, with code 3 and the traceback', async () => {
    const { code, stderr } = await run(BROKEN, ['serve']);
    expect(code, stderr).to.equal(3);
    expect(stderr).to.include('RuntimeError: no database').and.include('app.py');
  });

  it('are found by check --load-apps, with the traceback', async () => {
    const { code, stderr } = await run(BROKEN, ['check', '--load-apps']);
    expect(code).to.equal(3);
    expect(stderr).to.include('mount /: RuntimeError: no database').and.include('line 2, in boot');
    const good = await run(answering('fine'), ['check', '--load-apps']);
    expect(good.code, good.stderr).to.equal(0);
  });

  it('say where they stand where they take too long', async () => {
    const hanging = 'import time\ndef boot():\n    time.sleep(60)\nboot()\n';
    const mount = own({ timeouts: { boot: '1s' } });
    const { code, stderr } = await run(hanging, ['check', '--load-apps'], mount);
    expect(code).to.equal(3);
    expect(stderr).to.include('it did not finish loading within timeouts.boot, 1000 ms');
    expect(stderr).to.include('line 3 in boot');
  });

  it('say which program could not be started, and what a process said that just ended', async () => {
    const ended = await run('import os, sys\nprint("out of here", file=sys.stderr)\nos._exit(9)\n', [
      'serve',
    ]);
    expect(ended.code).to.equal(3);
    expect(ended.stderr).to.include('its process ended by exit code 9').and.include('out of here');
  });
});
