// What `npm run bench` is made of: scenarios, their cases, and the columns of their tables. Types only.

/** How a whole run is done. */
export interface Load {
  /** Of wrk, where a scenario does not say. */
  readonly connections: number;
  /** Of a measurement, and of the warm-up before it. */
  readonly seconds: number;
  readonly warmup: number;
  /** Backend on one processor, all else on another: see pinning.ts. */
  readonly pinned: boolean;
  /** The node that backends run on. */
  readonly node: string;
  /** For backends on Node: `--cpu-prof` and the like. */
  readonly nodeArgs: readonly string[];
}

export type FigureName =
  /** Seconds of user and system time of the backend's processes, a request or a GB (10^9 bytes) of body. */
  | 'cpu'
  /** The same of nginx. */
  | 'nginxCpu'
  /** Requests a second, or bytes of body a second. */
  | 'rate'
  /** Milliseconds, from sending to receiving. */
  | 'p50'
  | 'p99'
  /** Answers that were not 2xx or 3xx, and connections that failed. */
  | 'errors'
  /** Bytes, of all the backend's processes, at the end. */
  | 'resident'
  /** Bytes that `resident` is more than before. */
  | 'rise'
  /** Idle connections. */
  | 'idle'
  /** Seconds of one call of a function. */
  | 'call';

/** Of one measurement. A figure that the scenario does not have, or that failed, is not there. */
export type Figures = Readonly<Partial<Record<FigureName, number>>>;

/** All measurements of one case, one a round. */
export interface Series {
  readonly name: string;
  readonly samples: readonly Figures[];
}

/** One row of a scenario's tables. */
export interface Case {
  /** Unique in its scenario; also what --only looks for. */
  readonly name: string;
  /** Makes what must be built or fetched. Why it cannot run here, or null. */
  prepare(): Promise<string | null>;
  measure(load: Load): Promise<Figures>;
}

export interface RatioColumn {
  readonly title: string;
  readonly figure: FigureName;
  /** The case that the case of this name is compared with; undefined: none. */
  to(name: string): string | undefined;
}

export interface FigureColumn {
  readonly title: string;
  show(series: Series): string;
}

export interface Scenario {
  /** What --scenario looks for. */
  readonly name: string;
  readonly title: string;
  /** What was measured, how nginx is set up, and what else one must know to read the figures. */
  readonly about: readonly string[];
  /** Unless --rounds says otherwise. */
  readonly rounds: number;
  readonly cases: readonly Case[];
  /** --only takes the case of the first column along. */
  readonly ratios: readonly RatioColumn[];
  readonly figures: readonly FigureColumn[];
}
