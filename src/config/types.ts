// The configuration after loading: durations in milliseconds, sizes in bytes, paths absolute, every default filled in.
// Plain data, so that it can cross a process boundary.
import type { Address, ClientRange, ListenAddress } from './address.ts';
import type { Reference, ScriptReference } from './reference.ts';

export type ListenerProtocol = 'fastcgi' | 'uwsgi' | 'scgi' | 'http' | 'auto';
export const INTERFACES = ['wsgi', 'node', 'fetch', 'python'] as const;
export type Interface = (typeof INTERFACES)[number];
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export interface Config {
  listeners: ListenerConfig[];
  /** auto: one a core. */
  workers: number | 'auto';
  /** Absolute. */
  runDir: string;
  /** Name or number; null: stay who we are. */
  user: string | null;
  group: string | null;
  limits: Limits;
  timeouts: Timeouts;
  recycle: Recycle;
  /** In the order of the file. */
  mounts: MountConfig[];
  /** null: off. */
  admin: { address: Address } | null;
  log: LogConfig;
  /** Of no file: `serve --watch`. Browsers are shown what went wrong, and no app has to load. */
  development: boolean;
}

export interface ListenerConfig {
  address: ListenAddress;
  protocol: ListenerProtocol;
  /** Permission bits of a Unix socket; without meaning for others. */
  mode: number;
  owner: string | null;
  group: string | null;
  backlog: number;
  /** null: anyone. Always null for a Unix socket. */
  allowedClients: ClientRange[] | null;
}

export interface MountLimits {
  /** Bytes; 0: no limit. */
  bodySize: number;
  /** Bytes. */
  responseHeadersSize: number;
  /** In flight per worker. */
  requests: number;
  /** Waiting per worker; 0: nothing waits. */
  queue: number;
}

export interface Limits extends MountLimits {
  /** Bytes. */
  paramsSize: number;
  paramsCount: number;
  /** Per worker. */
  connections: number;
}

/** Milliseconds. */
export interface MountTimeouts {
  body: number;
  send: number;
  /** 0: no limit. */
  request: number;
  queue: number;
  boot: number;
}

/** Milliseconds. */
export interface Timeouts extends MountTimeouts {
  params: number;
  idle: number;
  /** 0: never; else at least a second. */
  stuck: number;
  /** 0: requests in flight are not waited for. */
  graceful: number;
}

/** When a worker is replaced by a fresh one; 0: never. */
export interface Recycle {
  maxRequests: number;
  /** Milliseconds. */
  maxAge: number;
  /** Bytes of resident memory. */
  maxMemory: number;
  /** From 0 to 1: each worker's limits are lower by a random part up to this. */
  jitter: number;
}

export interface MountConfig {
  /** "/" for the root, else without a slash at the end. As text, not as latin-1 bytes. */
  path: string;
  /** Lower case; "*.example.com" for every name below example.com; null: any host. */
  host: string | null;
  name: string;
  app: Reference;
  interface: Interface;
  /** Text, not latin-1 bytes. */
  env: Record<string, string>;
  /** Outermost first. */
  middleware: MiddlewareConfig[];
  /** The mount's own, filled up from the whole server's. */
  timeouts: MountTimeouts;
  limits: MountLimits;
  /** Whether its requests have lines in the access log. */
  accessLog: boolean;
  /** null: no Python app. */
  python: PythonConfig | null;
}

/** The processes that run a Python app. */
export interface PythonConfig {
  /** Absolute, or a name to be looked for on PATH. */
  executable: string;
  /** Folders that go first on sys.path. Absolute. */
  path: string[];
  /** The folder the processes work in. Absolute. */
  chdir: string;
  processes: number;
  /** Of each process. */
  threads: number;
  /** When a process is replaced by a fresh one. */
  recycle: Recycle;
}

export interface MiddlewareConfig {
  use: ScriptReference;
  options: Record<string, unknown> | undefined;
}

export interface LogConfig {
  level: LogLevel;
  /** Absolute; null: stderr. */
  file: string | null;
  access: {
    enabled: boolean;
    /** Absolute; null: where the log goes. */
    file: string | null;
    format: 'json' | 'combined';
    /** From 0 to 1: the part of the requests that went well and fast of which a line is written. */
    sample: number;
    /** Paths, `*` standing for anything: what goes well and fast there has no line. Text, not latin-1 bytes. */
    exclude: string[];
  };
  /** The request header whose value names a request, such as X-Request-ID; null: viaduct makes every name. */
  requestIdHeader: string | null;
  /** Milliseconds; 0: never. */
  slow: number;
}
