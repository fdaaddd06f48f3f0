// What a benchmark measures: something that answers nginx on a Unix socket.
import type { Child } from './child.ts';

export interface StartOptions {
  /** An empty folder of its own. */
  readonly dir: string;
  /** Where to listen. */
  readonly socket: string;
  /** In front of the program: a command that pins it to a processor, say. */
  readonly wrap: readonly string[];
  /** For backends on Node: `--cpu-prof` and the like. */
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
