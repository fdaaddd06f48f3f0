// Logs whose disk is full, whose reader has gone, that are moved away or cut off under load: lines may be lost, and are
// counted; nothing else may.
import { expect } from 'chai';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rmdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { faultTest, type Stand } from '../../helpers/fault-stand.ts';
import { residentMemory } from '../../helpers/processes.ts';
import { expectSteady } from '../../helpers/steady-client.ts';
import { waitFor } from '../../helpers/wait.ts';

const dropped = (stand: Stand, sink: string): Promise<number> =>
  stand.metric('viaduct_log_lines_dropped_total', { sink });

/** Serves as ever, and ends within the time it always takes. */
async function expectUnaffected(stand: Stand): Promise<void> {
  const clients = stand.steady();
  await clients.moreAnswers(300);
  expectSteady(await clients.stop());
}

async function expectQuickEnd(stand: Stand): Promise<void> {
  const before = performance.now();
  expect(await stand.daemon.stop()).to.equal(0);
  expect(performance.now() - before).to.be.below(4000);
}

describe('fault: a log that takes nothing', () => {
  const FULL = { level: 'debug', file: '/dev/full', slow: '1ms', access: { file: '/dev/full' } };

  faultTest(
    'files on a full disk: lines are dropped and counted, requests and the exit are not held up',
    { config: { log: FULL }, survives: false },
    async (stand) => {
      await expectUnaffected(stand);
      // What there is no room for is held back, up to 4 MiB; beyond that it is given up.
      const long = `/?${'x'.repeat(7000)}`;
      for (let n = 0; n < 800; n += 40)
        await Promise.all(Array.from({ length: 40 }, () => stand.request({ path: long })));
      await waitFor(async () => (await dropped(stand, 'access')) > 0, {
        what: 'dropped lines to be counted',
      });
      stand.daemon.kill('SIGUSR1');
      await expectUnaffected(stand);
      await expectQuickEnd(stand);
    },
  );

  faultTest(
    'stderr on a full disk',
    {
      config: { log: { level: 'debug', slow: '1ms' } },
      daemon: { stderrFile: '/dev/full' },
      survives: false,
    },
    async (stand) => {
      await expectUnaffected(stand);
      await expectQuickEnd(stand);
    },
  );

  faultTest(
    'stderr whose reader has gone: its lines are dropped and counted',
    { config: { log: { level: 'debug', slow: '1ms' } }, survives: false },
    async (stand) => {
      stand.daemon.closeStderr();
      await expectUnaffected(stand);
      await waitFor(async () => (await dropped(stand, 'log')) > 0, { what: 'dropped lines to be counted' });
      await expectQuickEnd(stand);
    },
  );
});

/** Every line of the access log and of what it was renamed to, as they are. */
async function accessLines(stand: Stand): Promise<string[]> {
  const files = (await readdir(stand.daemon.dir)).filter((name) => name.startsWith('access.log'));
  const texts = await Promise.all(files.map((name) => readFile(join(stand.daemon.dir, name), 'utf8')));
  for (const text of texts) expect(text === '' || text.endsWith('\n')).to.equal(true);
  return texts.flatMap((text) => text.split('\n').slice(0, -1));
}

describe('fault: log rotation under load', () => {
  const log = { access: { file: '{{dir}}/access.log' } };

  faultTest(
    'by rename and USR1 loses no line and splits none',
    { config: { workers: 2, log }, survives: false },
    async (stand) => {
      const clients = stand.steady({ rate: 500, connections: 32 });
      for (let n = 1; n <= 5; n += 1) {
        await clients.moreAnswers(100);
        await rename(join(stand.daemon.dir, 'access.log'), join(stand.daemon.dir, `access.log.${n}`));
        stand.daemon.kill('SIGUSR1');
        await waitFor(() => existsSync(join(stand.daemon.dir, 'access.log')), { what: 'the next file' });
      }
      await clients.moreAnswers(100);
      const report = await clients.stop();
      expectSteady(report);
      expect(await stand.daemon.stop()).to.equal(0);
      const uris = (await accessLines(stand)).map((line) => (JSON.parse(line) as { uri: string }).uri);
      expect(uris).to.have.lengthOf(report.sent);
      expect(new Set(uris).size).to.equal(report.sent);
    },
  );

  faultTest(
    'by copy and truncate leaves no hole, as every line goes to the end',
    { config: { workers: 2, log }, survives: false },
    async (stand) => {
      const file = join(stand.daemon.dir, 'access.log');
      const clients = stand.steady({ rate: 500, connections: 32 });
      for (let n = 0; n < 5; n += 1) {
        await clients.moreAnswers(100);
        await truncate(file);
      }
      await clients.moreAnswers(100);
      expectSteady(await clients.stop());
      expect(await stand.daemon.stop()).to.equal(0);
      const lines = await accessLines(stand);
      expect(lines.length).to.be.above(50);
      // A JSON line has no NUL; a file with a hole begins with them.
      for (const line of lines) expect(line).to.match(/^\{.*\}$/);
    },
  );

  faultTest(
    'to a file that cannot be opened: the old one stays in use, until it can be',
    { config: { log }, expected: { viaduct: [/^Cannot reopen a log file/] }, survives: false },
    async (stand) => {
      const [file, old] = ['access.log', 'access.log.1'].map((name) => join(stand.daemon.dir, name));
      const clients = stand.steady();
      await clients.moreAnswers(20);
      await rename(file ?? '', old ?? '');
      await mkdir(file ?? '');
      stand.daemon.kill('SIGUSR1');
      await stand.daemon.waitForLog(({ msg }) => String(msg).startsWith('Cannot reopen'), 'about it');
      await clients.moreAnswers(100);
      await rmdir(file ?? '');
      stand.daemon.kill('SIGUSR1');
      await waitFor(() => existsSync(file ?? ''), { what: 'the new file' });
      const report = await clients.stop();
      expectSteady(report);
      expect(await stand.daemon.stop()).to.equal(0);
      expect(await accessLines(stand)).to.have.lengthOf(report.sent);
    },
  );
});

describe('fault: an app that prints without end', () => {
  const SHOUT = `
const line = 'x'.repeat(1000) + '\\n';
export const application = (environ, startResponse) => {
  for (let n = 0; n < 20_000; n += 1) process.stdout.write(line);
  startResponse('200 OK', []);
  return [Buffer.from('shouted')];
};
`;
  faultTest(
    'is heard by nobody else: requests go on, and the memory of the master stays',
    {
      mounts: { '/shout': { app: './shout.mjs' } },
      config: { workers: 2, log: { file: '{{dir}}/viaduct.log' } },
      daemon: { files: { 'shout.mjs': SHOUT } },
      timeout: 30_000,
    },
    async (stand) => {
      const before = residentMemory(stand.daemon.pid);
      for (let n = 0; n < 3; n += 1)
        expect((await stand.request({ path: '/shout' })).text).to.equal('shouted');
      expect(residentMemory(stand.daemon.pid) - before).to.be.below(150 * 1024 * 1024);
      await expectUnaffected(stand);
    },
  );
});
