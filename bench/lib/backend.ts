// What a benchmark measures: something that answers nginx on a Unix socket.
import type { Child } from './child.ts';

/** What a backend serves: a small page, 16 KiB of JSON, a large body to either side. Not every backend has every one. */
export type AppName = 'hello' | 'json' | 'download' | 'upload';

export interface StartOptions {
  /** An empty folder of its own. */
  readonly dir: string;
  /** Where to listen. */
  readonly socket: string;
  readonly app: AppName;
  /** In front of the program: a command that pins it to a processor, say. */
  readonly wrap: readonly string[];
  /** For backends on Node: the program, and `--cpu-prof` and the like. */
  readonly node: string;
  readonly nodeArgs: readonly string[];
}

export interface Backend {
  /** Unique; also what --only looks for. */
  readonly name: string;
  /** How nginx talks to it. */
  readonly protocol: 'fastcgi' | 'uwsgi' | 'scgi' | 'http';
  /** nginx keeps its connections. */
  readonly keepAlive: boolean;
  /** Directives for nginx's location. */
  readonly extra?: string;
  /** Makes what must be built or fetched, once. Why it cannot run here, or null. */
  prepare(): Promise<string | null>;
  start(options: StartOptions): Promise<Child>;
}
