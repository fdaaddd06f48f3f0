import { expect } from 'chai';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, renameSync } from 'node:fs';
import { readdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LineBlock } from '../../../src/observe/line-block.ts';
import { LineSink } from '../../../src/observe/line-sink.ts';

const MODULE = new URL('../../../src/observe/line-sink.js', import.meta.url).href;

// A process of its own: `body` sees LineSink; `stderr` is where its descriptor 2 goes.
function child(body: string, stderr: 'pipe' | number): ReturnType<typeof spawn> {
  const script = `import { LineSink } from ${JSON.stringify(MODULE)};\n${body}`;
  return spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', stderr],
  });
}

async function exitCode(running: ReturnType<typeof spawn>): Promise<number | null> {
  const [code]: unknown[] = await once(running, 'exit');
  return typeof code === 'number' ? code : null;
}

// How a line comes in, gathered or not: as code, for a child, and as a call.
const putting = (gather: boolean): string => (gather ? '(block, line) => block.ascii(line)' : 'null');
const saying = (gather: boolean, line: string): string => `sink.${gather ? 'gather' : 'write'}(${line})`;
const putLine = (block: LineBlock, line: string): void => block.ascii(line);
const put = (gather: boolean): typeof putLine | null => (gather ? putLine : null);
const say = (sink: LineSink<string>, gather: boolean, line: string): void =>
  gather ? sink.gather(line) : sink.write(line);

const lines = (file: string): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1);

describe('observe/line-sink', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'viaduct-sink-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const mkfifo = (): string => {
    const path = join(folder, 'fifo');
    expect(spawnSync('mkfifo', [path]).status).to.equal(0);
    return path;
  };

  it('writes a line before write() returns, into a file of mode 0640', async () => {
    const file = join(folder, 'log');
    const umask = process.umask(0o022);
    const sink = new LineSink({ file, put: null });
    process.umask(umask);
    sink.write('one\n');
    expect(lines(file)).to.deep.equal(['one']);
    expect(statSync(file).mode & 0o777).to.equal(0o640);
    await sink.close();
    sink.write('late\n');
    expect(sink.dropped).to.equal(1);
    expect(lines(file)).to.deep.equal(['one']);
  });

  it('appends to what is there', async () => {
    const file = join(folder, 'log');
    for (const line of ['a\n', 'b\n']) {
      const sink = new LineSink({ file, put: putLine });
      say(sink, true, line);
      await sink.close();
    }
    expect(lines(file)).to.deep.equal(['a', 'b']);
  });

  for (const gather of [false, true]) {
    it(`loses and splits no line over 20 rotations (gather: ${gather})`, async () => {
      const file = join(folder, 'log');
      const sink = new LineSink({ file, put: put(gather) });
      let next = 0;
      for (let rotation = 0; rotation < 20; rotation++) {
        for (let i = 0; i < 500; i++) say(sink, gather, `line ${next++} ${'x'.repeat(next % 97)}\n`);
        renameSync(file, join(folder, `log.${rotation}`));
        sink.reopen();
      }
      say(sink, gather, `line ${next++} \n`);
      await sink.close();
      const old = Array.from({ length: 20 }, (_, rotation) => join(folder, `log.${rotation}`));
      // The old files are finished in the thread pool
      const total = (): number => old.reduce((sum, name) => sum + lines(name).length, 0);
      while (total() < 10_000) await new Promise((resolve) => setImmediate(resolve));
      const all = [...old, file].flatMap(lines);
      expect(all.map((line) => Number(line.split(' ')[1]))).to.deep.equal(
        Array.from({ length: next }, (_, i) => i),
      );
      expect(lines(file)).to.have.length(1);
      expect(sink.dropped).to.equal(0);
    });
  }

  it('tells who wants to know that the file cannot be opened, and writes to stderr until it can be', async () => {
    const [file, stderr] = [join(folder, 'log'), join(folder, 'stderr')];
    spawnSync('mkdir', [file]);
    const told: unknown[] = [];
    const options = { file, stderr: openSync(stderr, 'a'), onUnopened: (error: unknown) => told.push(error) };
    const sink = new LineSink({ ...options, put: null });
    expect(told).to.have.lengthOf(1);
    expect(String(told[0])).to.include('EISDIR');
    sink.write('one\n');
    expect(() => sink.reopen()).to.throw('EISDIR');
    sink.write('two\n');
    rmSync(file, { recursive: true });
    sink.reopen();
    sink.write('three\n');
    expect(lines(stderr)).to.deep.equal(['one', 'two']);
    expect(lines(file)).to.deep.equal(['three']);
    await sink.close();
  });

  it('goes on in the old file when the new one cannot be opened', async () => {
    const file = join(folder, 'log');
    const sink = new LineSink({ file, put: null });
    sink.write('one\n');
    const moved = join(folder, 'moved');
    renameSync(file, moved);
    // A folder where the file should be: fails for root too
    spawnSync('mkdir', [file]);
    for (let i = 0; i < 3; i++) expect(() => sink.reopen()).to.throw('EISDIR');
    sink.write('two\n');
    expect(lines(moved)).to.deep.equal(['one', 'two']);
    rmSync(file, { recursive: true });
    sink.reopen();
    sink.write('three\n');
    expect(lines(file)).to.deep.equal(['three']);
    await sink.close();
  });

  for (const gather of [false, true]) {
    it(`a full disk: no exception, bounded memory, every line counted (gather: ${gather})`, async () => {
      const sink = new LineSink({ file: '/dev/full', put: put(gather), maxBuffered: 10_000 });
      for (let i = 0; i < 5000; i++) say(sink, gather, `${'x'.repeat(99)}\n`);
      await sink.close();
      expect(sink.dropped).to.equal(5000);
    });
  }

  it('a pipe nobody empties: does not wait, drops, and writes again once it is read', async () => {
    const path = mkfifo();
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const sink = new LineSink({ file: path, put: null, maxBuffered: 100_000 });
    for (let i = 0; i < 5000; i++) sink.write(`${String(i).padStart(99)}\n`);
    const dropped = sink.dropped;
    expect(dropped).to.be.greaterThan(1000);
    const buffer = Buffer.alloc(1 << 20);
    let text = '';
    // Reads on while close() waits; what it wrote last is read below
    const reading = setInterval(() => {
      text += buffer.toString('latin1', 0, readAvailable(reader, buffer));
    }, 1);
    await sink.close();
    clearInterval(reading);
    text += buffer.toString('latin1', 0, readAvailable(reader, buffer));
    closeSync(reader);
    expect(sink.dropped).to.equal(dropped);
    expect(text.length % 100).to.equal(0);
    expect(text.split('\n').slice(0, -1).map(Number)).to.deep.equal(
      Array.from({ length: 5000 - dropped }, (_, i) => i),
    );
  });

  it('a pipe nobody empties: close() counts every line that is not in it', async () => {
    const path = mkfifo();
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const sink = new LineSink({ file: path, put: null });
    for (let i = 0; i < 2000; i++) sink.write(`${String(i).padStart(99)}\n`);
    // What SonicBoom says late of the writes that went well
    await new Promise((resolve) => setImmediate(resolve));
    expect(sink.dropped).to.equal(0);
    await sink.close();
    const buffer = Buffer.alloc(1 << 20);
    const written = buffer.toString('latin1', 0, readAvailable(reader, buffer)).split('\n').length - 1;
    closeSync(reader);
    expect(written).to.be.greaterThan(100);
    // Written in the same turn as the first failure: counted too, so never fewer than were lost
    expect(sink.dropped).to.be.within(2000 - written, 2000);
  });

  it('closes the old file after a rotation', async () => {
    const file = join(folder, 'log');
    const sink = new LineSink({ file, put: null });
    const moved = join(folder, 'moved');
    renameSync(file, moved);
    sink.reopen();
    while (openFiles().includes(moved)) await new Promise((resolve) => setImmediate(resolve));
    expect(openFiles()).to.include(file);
    await sink.close();
    expect(openFiles()).not.to.include(file);
  });

  it('a reader that has gone: counts, and takes a new one at reopen()', async () => {
    const path = mkfifo();
    const first = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const sink = new LineSink({ file: path, put: null });
    closeSync(first);
    sink.write('a\n');
    sink.write('b\n');
    expect(sink.dropped).to.equal(2);
    const second = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    sink.reopen();
    sink.write('c\n');
    const buffer = Buffer.alloc(100);
    expect(buffer.toString('latin1', 0, readAvailable(second, buffer))).to.equal('c\n');
    closeSync(second);
    await sink.close();
    expect(sink.dropped).to.equal(2);
  });

  it('refuses a named pipe without a reader instead of waiting for one', () => {
    expect(() => new LineSink({ file: mkfifo(), put: null })).to.throw('ENXIO');
  });

  it('says so when the file cannot be opened', () => {
    expect(() => new LineSink({ file: join(folder, 'no/log'), put: null })).to.throw('ENOENT');
  });

  for (const gather of [false, true]) {
    it(`process.exit() right after a line: the line is there (gather: ${gather})`, async () => {
      const file = join(folder, 'log');
      const body = `const sink = new LineSink({ file: ${JSON.stringify(file)}, put: ${putting(gather)} });
        for (let i = 0; i < 1000; i++) ${saying(gather, `'line ' + i + '\\n'`)}; process.exit(7);`;
      expect(await exitCode(child(body, 'pipe'))).to.equal(7);
      expect(lines(file)).to.have.length(1000);
    });

    it(`stderr a socket: the lines before process.exit() come through (gather: ${gather})`, async () => {
      const running = child(
        `const sink = new LineSink({ file: null, put: ${putting(gather)} });
         for (let i = 0; i < 1000; i++) ${saying(gather, `'line ' + i + '\\n'`)}; process.exit(7);`,
        'pipe',
      );
      let text = '';
      running.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
      await once(running, 'close');
      expect(running.exitCode).to.equal(7);
      expect(text.split('\n')).to.have.length(1001);
    });

    it(`stderr a pipe nobody reads: ends by itself and by process.exit() (gather: ${gather})`, async () => {
      const path = mkfifo();
      // Both ends, so that the write end below opens and nobody ever reads
      const held = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
      const stderr = openSync(path, constants.O_WRONLY);
      for (const end of ['', 'process.exit(0);', 'await sink.close();']) {
        const body = `const sink = new LineSink({ file: null, put: ${putting(gather)} });
          for (let i = 0; i < 5000; i++) ${saying(gather, `'x'.repeat(99) + '\\n'`)}; ${end}`;
        expect(await exitCode(child(body, stderr)), end).to.equal(0);
      }
      closeSync(stderr);
      closeSync(held);
    }).timeout(8000);

    it(`a full disk stops no exit (gather: ${gather})`, async () => {
      const full = openSync('/dev/full', 'w');
      for (const end of ['', 'process.exit(0);', 'await sink.close();']) {
        const body = `const sink = new LineSink({ file: null, put: ${putting(gather)} });
          for (let i = 0; i < 5000; i++) ${saying(gather, `'x'.repeat(99) + '\\n'`)}; ${end}`;
        expect(await exitCode(child(body, full)), end).to.equal(0);
      }
      closeSync(full);
    }).timeout(8000);
  }

  it('stderr a file that others append to: no line is overwritten', async () => {
    const file = join(folder, 'shared');
    const shared = openSync(file, 'a');
    const body = `const sink = new LineSink({ file: null, put: null });
      for (let i = 0; i < 200; i++) sink.write('line\\n'); await sink.close();`;
    await Promise.all([exitCode(child(body, shared)), exitCode(child(body, shared))]);
    closeSync(shared);
    expect(lines(file)).to.deep.equal(Array.from({ length: 400 }, () => 'line'));
  });
});

// The files this process holds open
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // the descriptor of this listing itself
    }
  });
}

function readAvailable(fd: number, buffer: Buffer): number {
  try {
    return readSync(fd, buffer);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return 0;
    throw error;
  }
}
