// From the configuration's mounts to mounts that can serve: loads apps and middleware and puts them together.
import { Buffer } from 'node:buffer';
import { loadApplication, loadMiddleware } from '../apps/loader.ts';
import { pythonApplication } from '../apps/python/application.ts';
import { type LaneAddress, type LaneChange, LaneServer, type Overdue } from '../apps/python/lane-server.ts';
import type { Config, MountConfig } from '../config/types.ts';
import { Admission } from '../gateway/admission.ts';
import type { Application, Environ } from '../gateway/contract.ts';
import { type ErrorPage, errorPage } from '../gateway/error-page.ts';
import type { Mount } from '../gateway/mount.ts';
import { describeThrown } from '../observe/describe-error.ts';
import type { MetricSlots } from '../observe/metric-slots.ts';
import type { MountMetrics } from '../observe/mount-metrics.ts';
import { readShared } from '../transport/reading.ts';

/** Seconds after which to ask again for an app that did not boot; it is tried again all the time. */
const RETRY_AFTER = 5;

/** One mount that could not be booted. Plain data: it crosses from a worker to the master. */
export interface BootFailure {
  /** Its name. */
  readonly mount: string;
  /** What went wrong, with the stack of what the app's own code threw: that is what its author needs. */
  readonly message: string;
}

export interface Booted {
  /** All of the configuration's; one that failed answers 503. */
  readonly mounts: readonly Mount[];
  readonly failures: readonly BootFailure[];
  /** Where Python threads come to, by mount. */
  readonly lanes: ReadonlyMap<string, LaneServer>;
}

/** What a worker needs for Python apps, which run elsewhere. */
export interface PythonLink {
  /** One a Python mount. */
  readonly addresses: readonly LaneAddress[];
  readonly onLane: (change: LaneChange) => void;
  readonly onOverdue: (overdue: Overdue) => void;
}

export interface BootOptions {
  /** Told the mount's name before each file of it is loaded: who dies or hangs then was told last. */
  readonly onLoad?: (mount: string) => void;
  /** Mounts that are not even tried; they count as failed and are not among `failures`. */
  readonly skip?: readonly BootFailure[];
  /** Makes the page of a mount that failed; default, and where it makes none: a plain one that does not say why. */
  readonly explain?: ((environ: Environ, failure: BootFailure) => ErrorPage | null) | undefined;
  readonly python?: PythonLink | undefined;
}

/** Loads every mount. One that fails costs the others nothing. */
export async function bootMounts(
  config: Config,
  metrics: MetricSlots,
  { onLoad = () => undefined, skip = [], python, explain = () => null }: BootOptions = {},
): Promise<Booted> {
  const shared = new Admission({ ...config.limits, queueTimeout: config.timeouts.queue });
  const mounts: Mount[] = [];
  const failures: BootFailure[] = [];
  const lanes = new Map<string, LaneServer>();
  const cedes = config.mounts.every((mount) => mount.interface === 'python' && mount.middleware.length === 0);
  for (const mount of config.mounts) {
    const slots = metrics.mount(mount.name);
    const admission = hasOwnPlaces(mount, config)
      ? new Admission({ ...mount.limits, queueTimeout: mount.timeouts.queue })
      : shared;
    let failure = skip.find(({ mount: name }) => name === mount.name);
    const missing = unavailable(slots, (environ) => {
      const message = failure?.message ?? lanes.get(mount.name)?.failure;
      return message === undefined ? null : explain(environ, { mount: mount.name, message });
    });
    let app = missing;
    const load = async (): Promise<Application> => {
      if (mount.app.kind !== 'python' && mount.interface !== 'python')
        return loadApplication(mount.app, mount.interface, mount.timeouts.boot, mount.env);
      const server = await openLanes(mount, admission, cedes, python);
      lanes.set(mount.name, server);
      slots.watchThreads(() => server.size);
      return pythonApplication(server, missing);
    };
    try {
      if (failure === undefined) app = await loadWrapped(mount, load, () => onLoad(mount.name));
    } catch (error) {
      failure = { mount: mount.name, message: reasonOf(error) };
      failures.push(failure);
    }
    mounts.push(makeMount(mount, app, admission, slots));
  }
  return { mounts, failures, lanes };
}

/** Stands in for an app that did not boot. `explained`: a page that says why, if any. */
function unavailable(metrics: MountMetrics, explained: (environ: Environ) => ErrorPage | null): Application {
  return (environ, startResponse) => {
    metrics.shed('app_failed');
    const page = explained(environ) ?? errorPage(503, environ['viaduct.request_id'], RETRY_AFTER);
    startResponse(page.status, page.headers);
    return [page.body];
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stack = error.cause instanceof Error ? describeThrown(error.cause).stack : undefined;
  return stack === undefined ? error.message : `${error.message}\n${stack}`;
}

/**
 * A mount that sets limits.requests, limits.queue or timeouts.queue has places of its own, and so has a Python mount, whose
 * places are threads; all others share the worker's.
 */
const hasOwnPlaces = (mount: MountConfig, config: Config): boolean =>
  mount.python !== null ||
  mount.limits.requests !== config.limits.requests ||
  mount.limits.queue !== config.limits.queue ||
  mount.timeouts.queue !== config.timeouts.queue;

async function loadWrapped(
  mount: MountConfig,
  load: () => Promise<Application>,
  onLoad: () => void,
): Promise<Application> {
  onLoad();
  let app = await load();
  for (const { use, options } of mount.middleware.toReversed()) {
    onLoad();
    const middleware = await loadMiddleware(use, mount.timeouts.boot);
    app = middleware(app, options);
    if (typeof app !== 'function')
      throw new TypeError(
        `Cannot wrap ${mount.name}: its middleware gave ${typeof app}, wanted an application`,
      );
  }
  return app;
}

async function openLanes(
  { name, limits, timeouts }: MountConfig,
  admission: Admission,
  cedes: boolean,
  python: PythonLink | undefined,
): Promise<LaneServer> {
  const address = python?.addresses.find(({ mount }) => mount === name);
  if (python === undefined || address === undefined)
    throw new Error('Cannot run a Python app here: it needs processes of its own');
  const server = new LaneServer({
    address,
    admission,
    cedes,
    requests: limits.requests,
    requestTimeout: timeouts.request,
    queueTimeout: timeouts.queue,
    read: readShared,
    onLane: python.onLane,
    onOverdue: python.onOverdue,
  });
  await server.listen();
  return server;
}

/** Apps of node:http and Python get what is made of it. */
const showsEnviron = (mount: MountConfig): boolean =>
  mount.middleware.length > 0 || mount.interface === 'wsgi' || mount.interface === 'fetch';

function makeMount(mount: MountConfig, app: Application, admission: Admission, metrics: MountMetrics): Mount {
  const { limits, timeouts } = mount;
  metrics.watchQueue(limits.queue, () => {
    const oldest = admission.oldest(mount.name);
    return oldest === null ? 0 : (performance.now() - oldest) / 1000;
  });
  return {
    path: mount.path === '/' ? '' : native(mount.path),
    host: mount.host,
    name: mount.name,
    app,
    showsEnviron: showsEnviron(mount),
    // A Python app has them as environment of its processes.
    env:
      mount.python === null
        ? Object.entries(mount.env).map(([name, value]) => [name, native(value)] as const)
        : [],
    limits: { bodySize: limits.bodySize, bodyTimeout: timeouts.body, sendTimeout: timeouts.send },
    responseHeadersSize: limits.responseHeadersSize,
    requestTimeout: timeouts.request,
    queueTimeout: timeouts.queue,
    admission,
    metrics,
  };
}

/** PEP 3333's native string: the UTF-8 bytes of the text, one character each. */
const native = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
