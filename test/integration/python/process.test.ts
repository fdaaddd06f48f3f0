// The life of a Python process: what it loads, how it leaves, what it tells, and what becomes of its lanes.
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { PROGRAM } from '../../../src/apps/python/program.ts';
import { InboxEnd } from '../../helpers/inbox-end.ts';
import { buildFrame, Flag, INBOX_FRAME, Kind, readFrames } from '../../helpers/lane-frames.ts';
import {
  LaneEnd,
  type Message,
  PYTHON,
  PYTHON_APPS,
  PythonPeer,
  type PythonOptions,
} from '../../helpers/lane-peer.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';
import { waitFor } from '../../helpers/wait.ts';

describe('worker.py, the process', () => {
  let peer: PythonPeer;
  let dir: string;
  const started: PythonPeer[] = [];
  const ready = async (options: Partial<PythonOptions> = {}): Promise<PythonPeer> => {
    peer = await PythonPeer.ready({ app: 'behaviours:application', ...options });
    started.push(peer);
    return peer;
  };
  const get = async (path: string, query = ''): Promise<string> =>
    String((await peer.lane.ask({ PATH_INFO: path, QUERY_STRING: query })).body);
  const file = (name: string, text: string): string => {
    const path = join(dir, name);
    writeFileSync(path, text);
    return path;
  };

  before(async () => {
    dir = await makeTempDir();
  });
  afterEach(async () => {
    for (const one of started.splice(0)) await one.stop();
  });
  after(() => removeTempDir(dir));

  describe('the application', () => {
    const source = (body: string): string =>
      `def application(environ, start_response):\n    start_response('200 OK', [])\n    return [${body}]\n`;

    before(() => {
      mkdirSync(join(dir, 'package/inner'), { recursive: true });
      file('package/__init__.py', '');
      file('package/inner/__init__.py', '');
      file('package/inner/app.py', `${source("b'package'")}class things:\n    app = application\n`);
      file('beside.py', 'WORD = b"beside"\n');
      file('plain.wsgi', `import beside\n${source('beside.WORD')}`);
      file('plain.py', `import beside\n${source('beside.WORD')}named = application\n`);
      file('dotted.wsgi.py', source("b'dotted'"));
      file(
        'factory.py',
        `${source("b'?'")}def create_app(word='made', loud=False):\n` +
          '    def app(environ, start_response):\n' +
          "        start_response('200 OK', [])\n" +
          '        return [(word.upper() if loud else word).encode()]\n' +
          '    return app\nclass holder:\n    make = staticmethod(create_app)\n',
      );
      file(
        'plain_class.py',
        'class application:\n    def __init__(self, environ, start_response):\n' +
          "        start_response('200 OK', [])\n    def __iter__(self):\n        yield b'class'\n",
      );
      file('broken.py', 'import beside\n\n\ndef fail():\n    return 1 / 0\n\n\nfail()\n');
      file('syntax.py', 'def application(:\n');
      file('leaves.py', 'import sys\nsys.exit(4)\n');
      file('needs.py', 'import package.nothing\n');
      file('other.py', 'application = 7\napp = 8\n');
      file('asgi.py', 'async def application(scope, receive, send):\n    pass\n');
    });

    const loads: [app: string, body: string][] = [
      ['package.inner.app:application', 'package'],
      ['package.inner.app', 'package'],
      ['package.inner.app:things.app', 'package'],
      ['factory:create_app()', 'made'],
      ["factory:create_app('loaded', loud=True)", 'LOADED'],
      ['factory:holder.make()', 'made'],
      ['plain_class:application', 'class'],
      ['{{dir}}/plain.wsgi', 'beside'],
      ['{{dir}}/plain.py', 'beside'],
      ['{{dir}}/plain.py:named', 'beside'],
      ["{{dir}}/factory.py:create_app('of a file')", 'of a file'],
      ['{{dir}}/dotted.wsgi.py', 'dotted'],
    ];
    for (const [app, body] of loads) {
      it(`is loaded from ${app}`, async () => {
        const inFile = app.startsWith('{{dir}}');
        await ready({ app: app.replace('{{dir}}', dir), path: inFile ? [] : [dir] });
        expect(await get('/')).to.equal(body);
      });
    }

    const fails: [app: string, type: string, message: RegExp, trace: RegExp][] = [
      [
        'nowhere:application',
        'ModuleNotFoundError',
        /^No module named 'nowhere'$/,
        /^ModuleNotFoundError: No module/,
      ],
      [
        'needs',
        'ModuleNotFoundError',
        /'package.nothing'/,
        /^Traceback .*\n {2}File ".*needs.py", line 1, in <module>/,
      ],
      [
        'broken',
        'ZeroDivisionError',
        /division by zero/,
        /^Traceback .*\n {2}File ".*broken.py", line 8[^]*line 5, in fail/,
      ],
      ['syntax', 'SyntaxError', /invalid syntax/, /syntax.py", line 1\n/],
      ['leaves', 'SystemExit', /^4$/, /leaves.py", line 2/],
      [
        'package.inner.app:nothing',
        'LoadError',
        /^Cannot load "package.inner.app:nothing": package.inner.app has no "nothing"; it has "application"$/,
        /^LoadError: /,
      ],
      [
        'factory:missing()',
        'LoadError',
        /has no "missing"; it has "application", "create_app"$/,
        /^LoadError: /,
      ],
      ['other', 'LoadError', /^Cannot load "other": it is 7, wanted a callable$/, /^LoadError: /],
      ['asgi', 'LoadError', /asynchronous \(ASGI\) application, wanted a WSGI one$/, /^LoadError: /],
      [
        'factory:create_app(1 + x)',
        'LoadError',
        /"create_app\(1 \+ x\)" is neither a name nor a call/,
        /^LoadError: /,
      ],
      ['{{dir}}/missing.wsgi', 'FileNotFoundError', /missing.wsgi/, /^FileNotFoundError: /],
    ];
    for (const [app, type, message, trace] of fails) {
      it(`that is ${app} is refused with a reason`, async () => {
        peer = await PythonPeer.start({ app: app.replace('{{dir}}', dir), path: [dir] });
        started.push(peer);
        const told = await peer.message('load_error');
        expect(told['type']).to.equal(type);
        expect(told['message']).to.match(message);
        expect(told['traceback']).to.match(trace).and.not.include('worker.py').and.not.include('importlib');
        expect(await peer.exit()).to.equal(3);
        expect(peer.stderr).to.equal('');
      });
    }

    it('finds python.path first, then its working directory, and never the folder of worker.py', async () => {
      await ready({ chdir: dir, path: [PYTHON_APPS, '/nowhere'] });
      const [cwd, , ...path] = (await get('/where')).split('\n');
      expect(cwd).to.equal(dir);
      expect(path.slice(0, 3)).to.deep.equal([PYTHON_APPS, '/nowhere', dir]);
      expect(path.filter((folder) => folder.includes('src/apps'))).to.deep.equal([]);
    });

    it('runs in the virtual environment of its interpreter', async () => {
      const venv = join(dir, 'venv');
      execFileSync(PYTHON, ['-m', 'venv', '--without-pip', venv]);
      await ready({ executable: join(venv, 'bin/python') });
      expect((await get('/where')).split('\n')[1]).to.equal(venv);
    }).timeout(20_000);

    for (const env of [
      { LC_ALL: null, LC_CTYPE: null, LANG: null },
      { LC_ALL: null, LC_CTYPE: null, LANG: 'C' },
      { LC_ALL: 'POSIX', LANG: null },
      { LC_ALL: null, LC_CTYPE: null, LANG: 'xx_XX.ISO-8859-1' },
    ]) {
      it(`works in UTF-8 whatever the locale: ${JSON.stringify(env)}`, async () => {
        await ready({ env });
        expect(await get('/encodings')).to.equal('utf-8 utf-8 utf-8 utf-8');
        expect(await get('/printed')).to.equal('hello');
        await waitFor(() => peer.stdout.endsWith('\n'), { what: 'the printed line' });
        expect(peer.stdout).to.equal('to stdout: é€\\ud800\n');
      });
    }
  });

  describe('environ', () => {
    const environ = async (
      options: Partial<PythonOptions>,
      sent: Record<string, string> = {},
    ): Promise<string[]> => {
      await ready(options);
      return String((await peer.lane.ask({ PATH_INFO: '/environ_repr', ...sent })).body).split('\n');
    };

    it('is a dict of what came with the request, the configuration and PEP 3333', async () => {
      const lines = await environ(
        { environ: { SERVER_SOFTWARE: 'viaduct', 'viaduct.mount': '/' } },
        { HTTP_X: 'Ã©\xff', 'viaduct.request_id': 'r1' },
      );
      expect(lines).to.include.members([
        'type=dict',
        "PATH_INFO='/environ_repr'",
        "QUERY_STRING=''",
        "HTTP_X='Ã©ÿ'",
        "SERVER_SOFTWARE='viaduct'",
        "viaduct.mount='/'",
        "viaduct.request_id='r1'",
        'wsgi.version=(1, 0)',
        "wsgi.url_scheme='http'",
        'wsgi.run_once=False',
        'wsgi.input_terminated=True',
      ]);
    });

    it('is the same where its names are noted under a number', async () => {
      const sent = { PATH_INFO: '/environ_repr', HTTP_X: 'Ã©\xff', HTTP_Y: '' };
      const lines = await environ({}, sent);
      expect(lines).to.include.members(["HTTP_X='Ã©ÿ'", "HTTP_Y=''"]);
      for (const number of [0, 63, 0]) {
        peer.lane.beginNoted(number, sent);
        expect(String((await peer.lane.answer()).body).split('\n')).to.deep.equal(lines);
      }
      peer.lane.beginNoted(1, { PATH_INFO: '/environ_repr', HTTP_Z: '1' });
      expect(String((await peer.lane.answer()).body))
        .to.include("HTTP_Z='1'")
        .and.not.include('HTTP_X');
    });

    it('is fresh for every request', async () => {
      const first = await environ({});
      expect(first).to.include('wsgi.version=(1, 0)');
      expect((await get('/environ_repr')).split('\n')).to.deep.equal(first);
    });

    for (const [threads, multiprocess] of [
      [1, false],
      [2, false],
      [1, true],
      [3, true],
    ] as const) {
      it(`tells of ${threads} threads ${multiprocess ? 'and' : 'without'} other processes`, async () => {
        const lines = await environ({ threads, multiprocess });
        const bool = (value: boolean): string => (value ? 'True' : 'False');
        expect(lines).to.include(`wsgi.multithread=${bool(threads > 1)}`);
        expect(lines).to.include(`wsgi.multiprocess=${bool(multiprocess)}`);
      });
    }
  });

  describe('lanes', () => {
    it('open with who they are, one a thread', async () => {
      await ready({ threads: 3 });
      const hellos = peer.live.map(({ hello }) => hello);
      expect(
        hellos.map((hello) => [hello?.kind, hello?.flags, hello?.aux, hello?.bytes.length]),
      ).to.deep.equal(Array.from({ length: 3 }, () => [Kind.HELLO, 0, 3, 0]));
      const { pid } = peer.child;
      expect(hellos.map((hello) => hello?.head)).to.have.deep.members(
        [0, 1, 2].map((thread) => [`${pid}`, '5', `${thread}`, 'feed', `lanes.sock.${pid}-1`]),
      );
    });

    it('serve at the same time', async () => {
      await ready({ threads: 4 });
      const lanes = peer.live;
      for (let count = 0; count < 4; count += 1) peer.lane.begin({ PATH_INFO: '/stepwise' }, null);
      for (const lane of lanes) expect(String((await lane.frame(Kind.HEAD)).bytes)).to.equal('ready');
      for (const lane of lanes) lane.send(Kind.BODY, Flag.FIN, '', 'done');
      for (const lane of lanes) expect(String((await lane.answer()).body)).to.equal('done');
    });

    for (const [path, note] of [
      ['/endless', 'GeneratorExit'],
      ['/write_endlessly', 'ClientGone is OSError'],
      ['/watch_client', 'at first: False\nat last: True\nclose'],
    ] as const) {
      it(`keep on where nobody waits for the answer any more: ${path}`, async () => {
        await ready();
        const { lane } = peer;
        const ticket = lane.begin({ PATH_INFO: path });
        await waitFor(() => lane.frames.length > 0, { what: 'its beginning' });
        lane.inbox.giveUp(ticket);
        const { error } = await lane.answer();
        expect(error?.[0] ?? 'ClientGone').to.equal('ClientGone');
        expect(await get('/noted')).to.equal(note);
        expect([lane.ended, peer.stderr]).to.deep.equal([false, '']);
      });

      it(`show that the client has left: ${path}`, async () => {
        await ready();
        const { lane } = peer;
        lane.begin({ PATH_INFO: path });
        await waitFor(() => lane.frames.length > 0, { what: 'its beginning' });
        const next = peer.reconnected();
        lane.socket.destroy();
        await next;
        expect(await get('/noted')).to.equal(note);
        expect(peer.stderr).to.equal('');
      });
    }

    it('show it while the application waits for the request body', async () => {
      await ready();
      const { lane } = peer;
      lane.begin({ PATH_INFO: '/stepwise' }, null);
      await lane.frame(Kind.HEAD);
      lane.send(Kind.BODY, 0, '', 'in');
      const next = peer.reconnected();
      lane.socket.destroy();
      await next;
      expect(await get('/hello')).to.equal('hello');
      expect(peer.stderr).to.equal('');
    });

    it('are opened anew when they break, and when viaduct speaks nonsense', async () => {
      await ready();
      const { lane } = peer;
      let next = peer.reconnected();
      lane.socket.end();
      await next;
      next = peer.reconnected();
      peer.lane.inbox.call(buildFrame(9, 0, 'x'));
      await next;
      expect(await get('/hello')).to.equal('hello');
      expect(peer.stderr).to.equal('ValueError: Cannot read frame: its type is 9, wanted REQ (1)\n');
    });

    it('try again until somebody listens', async () => {
      await ready();
      const path = join(dir, 'later.sock');
      peer.tell({ kind: 'lanes', lanes: [path] });
      await waitFor(() => peer.live.length === 0, { what: 'the end of the first lane' });
      const server = createServer();
      const arrived = once(server, 'connection');
      server.listen(path);
      const [socket] = (await arrived) as [Socket];
      const lanes: LaneEnd[] = [];
      const lane = new LaneEnd(socket, dir, lanes);
      lanes.push(lane);
      await waitFor(() => lane.hello, { what: 'its HELLO' });
      expect(String((await lane.ask({ PATH_INFO: '/hello' })).body)).to.equal('hello');
      socket.destroy();
      server.close();
    });

    it('take nothing before they are welcome', async () => {
      const path = join(dir, 'silent.sock');
      const server = createServer();
      const arrived = once(server, 'connection');
      server.listen(path);
      await ready();
      peer.tell({ kind: 'lanes', lanes: [path] });
      const [socket] = (await arrived) as [Socket];
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      const [hello] = readFrames(chunk).frames;
      expect(hello?.kind).to.equal(Kind.HELLO);
      const inbox = InboxEnd.at(join(dir, hello?.head[4] ?? ''));
      const ticket = inbox.request('REQUEST_METHOD\0GET', null);
      // Its main thread has had its turn when this is answered.
      peer.tell({ kind: 'stacks' });
      const stacks = (await peer.message('stacks'))['threads'] as Message[];
      expect(stacks.map(({ busy, stack }) => [busy, /in read_header/.test(String(stack))])).to.deep.equal([
        [false, true],
      ]);
      socket.write(buildFrame(Kind.WELCOME, 0, ''));
      const [claim] = readFrames(((await once(socket, 'data')) as [Buffer])[0]).frames;
      expect([claim?.kind, claim?.aux]).to.deep.equal([Kind.CLAIM, ticket]);
      socket.destroy();
      server.close();
      InboxEnd.closeAll(dir);
    });

    it('move when they are told to, after the request they serve', async () => {
      await ready({ threads: 2 });
      const [busy, idle] = await peer.streamed({ PATH_INFO: '/stepwise' });
      await busy.frame(Kind.HEAD);
      peer.tell({ kind: 'lanes', lanes: [null, null] });
      await waitFor(() => idle?.ended, { what: 'the end of the idle lane' });
      expect(busy.ended).to.equal(false);
      busy.send(Kind.BODY, Flag.FIN, '', 'done');
      expect(String((await busy.answer()).body)).to.equal('done');
      await waitFor(() => busy.ended, { what: 'the end of the busy lane' });
      peer.tell({ kind: 'lanes', lanes: [peer.socketPath, null] });
      await waitFor(() => peer.live.length === 1, { what: 'a new lane' });
      expect(peer.lane.thread).to.equal(0);
    });
  });

  describe('draining', () => {
    for (const how of ['message', 'SIGTERM'] as const) {
      it(`finishes requests and leaves: ${how}`, async () => {
        await ready({ threads: 2 });
        const [busy, idle] = await peer.streamed({ PATH_INFO: '/stepwise' });
        await busy.frame(Kind.HEAD);
        if (how === 'SIGTERM') peer.child.kill('SIGTERM');
        else peer.tell({ kind: 'drain' });
        await waitFor(() => idle?.ended, { what: 'the end of the idle lane' });
        busy.send(Kind.BODY, 0, '', 'ping');
        expect(String((await busy.frame(Kind.DATA)).bytes)).to.equal('ping');
        busy.send(Kind.BODY, Flag.FIN, '');
        await busy.answer();
        expect(await peer.exit()).to.equal(0);
        expect(peer.stderr).to.equal('');
        expect((await peer.message('stats'))['requests']).to.equal(1);
      });
    }

    it('leaves what it has not taken in the inbox', async () => {
      await ready({ threads: 2 });
      const [busy, idle] = await peer.streamed({ PATH_INFO: '/stepwise' });
      await busy.frame(Kind.HEAD);
      const fifo = openSync(
        join(peer.dir, busy.hello?.head[4] ?? ''),
        constants.O_RDONLY | constants.O_NONBLOCK,
      );
      peer.tell({ kind: 'drain' });
      await waitFor(() => idle?.ended, { what: 'the end of the idle lane' });
      const ticket = busy.begin({ PATH_INFO: '/hello' });
      busy.send(Kind.BODY, Flag.FIN, '', 'done');
      expect(String((await busy.answer()).body)).to.equal('done');
      expect(await peer.exit()).to.equal(0);
      const frame = Buffer.alloc(INBOX_FRAME);
      // What woke the threads may stand before it.
      do expect(readSync(fifo, frame)).to.equal(INBOX_FRAME);
      while (frame[4] === Kind.LEAVE);
      expect([frame[4], frame.readUInt16LE(6)]).to.deep.equal([Kind.REQ, ticket]);
      closeSync(fifo);
    });

    it('is cut short when the master is gone: a moment, then the end of the whole group', async () => {
      await ready();
      const [pid = ''] = (await get('/spawns')).split(' ');
      expect(existsSync(`/proc/${pid}`)).to.equal(true);
      peer.lane.begin({ PATH_INFO: '/sleeps', QUERY_STRING: '60' });
      await peer.lane.frame(Kind.LOG);
      const begun = performance.now();
      peer.control.destroy();
      await peer.exit();
      expect(performance.now() - begun).to.be.within(900, 2000);
      await waitFor(() => !isAlive(pid), { what: 'the end of what the application had started' });
    });

    it('is at once where nothing is under way', async () => {
      await ready();
      const begun = performance.now();
      peer.control.destroy();
      await peer.exit();
      expect(performance.now() - begun).to.be.below(900);
    });

    it('ignores what a terminal sends to the group', async () => {
      await ready();
      peer.child.kill('SIGINT');
      peer.child.kill('SIGHUP');
      expect(await get('/hello')).to.equal('hello');
    });
  });

  describe('what it tells', () => {
    it('counts requests, and who is busy', async () => {
      await ready({ threads: 2, limits: { stats: 0.02 } });
      const stats = (wanted: Message): Promise<Message | undefined> =>
        waitFor(
          () =>
            peer.messages.find((told) => Object.entries(wanted).every(([key, value]) => told[key] === value)),
          { what: `stats ${JSON.stringify(wanted)}` },
        );
      await stats({ kind: 'stats', requests: 0, busy: 0, lanes: 2 });
      await get('/hello');
      await get('/raises', 'SystemExit');
      const [busy] = await peer.streamed({ PATH_INFO: '/stepwise' });
      await stats({ kind: 'stats', requests: 2, busy: 1, lanes: 2 });
      busy.send(Kind.BODY, Flag.FIN, '');
      await stats({ kind: 'stats', requests: 3, busy: 0, lanes: 2 });
    });

    it('shows where one thread stands, or all of them', async () => {
      await ready({ threads: 3 });
      const [lane] = await peer.streamed({ PATH_INFO: '/sleeps', QUERY_STRING: '30' });
      await lane.frame(Kind.LOG);
      peer.tell({ kind: 'stacks', thread: lane.thread });
      const [one, ...others] = (await peer.message('stacks'))['threads'] as Message[];
      expect(others).to.deep.equal([]);
      expect([one?.['thread'], one?.['busy']]).to.deep.equal([lane.thread, true]);
      expect(one?.['stack']).to.match(/in sleeps\n {4}time\.sleep/);
      peer.tell({ kind: 'stacks' });
      const all = (await peer.message('stacks'))['threads'] as Message[];
      expect(all.map(({ thread, busy }) => [thread, busy])).to.have.deep.members(
        [0, 1, 2].map((thread) => [thread, thread === lane.thread]),
      );
      peer.tell({ kind: 'dance' });
      await waitFor(() => peer.stderr.includes("Cannot obey the master: kind is 'dance'\n"), {
        what: 'a complaint',
      });
    });

    it('writes all stacks to stderr on SIGUSR1, even before the application is there', async () => {
      const app = file('slow.wsgi', 'import time\nprint("loading")\ntime.sleep(30)\n');
      peer = await PythonPeer.start({ app });
      started.push(peer);
      await waitFor(() => peer.stdout === 'loading\n', { what: 'the application to load' });
      peer.child.kill('SIGUSR1');
      await waitFor(() => /slow\.wsgi", line 3 in <module>/.test(peer.stderr), { what: 'the stacks' });
    });
  });

  describe('children of the application', () => {
    it('that are forked die of SIGTERM, and leave lanes and master alone', async () => {
      await ready({ threads: 2 });
      expect(await get('/forks')).to.equal('-15');
      expect(await get('/hello')).to.equal('hello');
      expect(peer.live.length).to.equal(2);
    });

    it('that are spawned inherit neither lanes nor the control channel', async () => {
      await ready();
      const [, sockets] = /^\d+ (.*)\n$/.exec(await get('/spawns')) ?? [];
      expect(sockets).to.equal('[]');
    });
  });

  it('is one file in the Python of 3.8 that needs nothing but the standard library', () => {
    const check = [
      'import ast, sys',
      'tree = ast.parse(open(sys.argv[1], encoding="utf-8").read(), feature_version=(3, 8))',
      'names = [n.names[0].name if isinstance(n, ast.Import) else n.module for n in ast.walk(tree)',
      '         if isinstance(n, (ast.Import, ast.ImportFrom))]',
      'known = getattr(sys, "stdlib_module_names", names)',
      'print(len(names) > 10, [name for name in names if name.split(".")[0] not in known])',
    ].join('\n');
    expect(execFileSync(PYTHON, ['-c', check, PROGRAM], { encoding: 'utf8' })).to.equal('True []\n');
  });
});

/** A zombie that nobody has waited for counts as gone. */
function isAlive(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
