// Stands in for systemd: passes listening sockets to a program it starts, and receives what that says over NOTIFY_SOCKET.
// Python plays the part, since Node has neither exec() nor Unix datagrams. Knows nothing of viaduct.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { waitFor } from './wait.ts';

export interface SocketToPass {
  /** Its name in LISTEN_FDNAMES. */
  readonly name: string;
  /** Of a Unix socket; without it the socket is one of 127.0.0.1. */
  readonly path?: string;
  readonly port?: number;
  /** Does not listen, as one of ListenDatagram=. */
  readonly datagram?: boolean;
}

export interface ActivationOptions {
  readonly sockets: readonly SocketToPass[];
  /** More for the environment; an empty value takes a variable away. */
  readonly env?: Readonly<Record<string, string>>;
}

const LAUNCHER = `
import fcntl, json, os, socket, sys
sockets = []
for item in json.loads(sys.argv[1]):
    family = socket.AF_UNIX if 'path' in item else socket.AF_INET
    one = socket.socket(family, socket.SOCK_DGRAM if item.get('datagram') else socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(item['path'] if 'path' in item else ('127.0.0.1', item['port']))
    if not item.get('datagram'):
        one.listen(16)
    sockets.append((item['name'], fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 100)))
for place, (name, fd) in enumerate(sockets):
    os.dup2(fd, 3 + place)
    os.close(fd)
os.environ['LISTEN_PID'] = str(os.getpid())
os.environ['LISTEN_FDS'] = str(len(sockets))
os.environ['LISTEN_FDNAMES'] = ':'.join(name for name, _ in sockets)
for name, value in json.loads(sys.argv[2]).items():
    os.environ[name] = value
    if value == '':
        del os.environ[name]
os.execv(sys.argv[3], sys.argv[3:])
`;

/** Starts `command` with those sockets as its descriptors from 3 on. Its stdout and stderr are pipes; bounded to 30 s. */
export function launchActivated(
  command: readonly string[],
  { sockets, env = {} }: ActivationOptions,
): ChildProcess {
  const args = ['-c', LAUNCHER, JSON.stringify(sockets), JSON.stringify(env), ...command];
  return spawn('python3', args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 30_000,
    killSignal: 'SIGKILL',
  });
}

const RECEIVER = `
import json, socket, sys
name = sys.argv[1]
one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
one.bind('\\0' + name[1:] if name.startswith('@') else name)
print(json.dumps(''), flush=True)
while True:
    print(json.dumps(one.recv(65536).decode()), flush=True)
`;

/** The receiving end of NOTIFY_SOCKET. */
export class NotifyReceiver {
  /** Whole datagrams so far, with their line ends. */
  readonly messages: string[] = [];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @param name as in NOTIFY_SOCKET: a path, or an abstract name with "@" in front */
  static async open(name: string): Promise<NotifyReceiver> {
    const child = spawn('python3', ['-c', RECEIVER, name], {
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 30_000,
      killSignal: 'SIGKILL',
    });
    const receiver = new NotifyReceiver(child);
    const lines = createInterface({ input: child.stdout });
    await once(lines, 'line');
    lines.on('line', (line) => receiver.messages.push(JSON.parse(line) as string));
    return receiver;
  }

  /** Resolves with the first message that has `text` in it. */
  waitFor(text: string): Promise<string> {
    return waitFor(() => this.messages.find((message) => message.includes(text)), {
      what: `the notification ${text}`,
    });
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}
