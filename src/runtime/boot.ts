// From the configuration's mounts to mounts that can serve: loads apps and middleware and puts them together.
import { Buffer } from 'node:buffer';
import { loadApplication, loadMiddleware } from '../apps/loader.ts';
import type { Config, MountConfig } from '../config/types.ts';
import { Admission } from '../gateway/admission.ts';
import type { Application } from '../gateway/contract.ts';
import { errorPage } from '../gateway/error-page.ts';
import type { Mount } from '../gateway/mount.ts';
import { MetricSlots } from '../observe/metric-slots.ts';
import type { MountMetrics } from '../observe/mount-metrics.ts';

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
}

export interface BootOptions {
  /** Told the mount's name before each file of it is loaded: who dies or hangs then was told last. */
  readonly onLoad?: (mount: string) => void;
  /** Names of mounts that are not even tried; they count as failed and are not among `failures`. */
  readonly skip?: readonly string[];
}

/** Loads every mount. One that fails costs the others nothing. */
export async function bootMounts(
  config: Config,
  metrics: MetricSlots,
  { onLoad = () => undefined, skip = [] }: BootOptions = {},
): Promise<Booted> {
  const shared = new Admission({ ...config.limits, queueTimeout: config.timeouts.queue });
  const mounts: Mount[] = [];
  const failures: BootFailure[] = [];
  for (const mount of config.mounts) {
    const slots = metrics.mount(mount.name);
    let app = unavailable(slots);
    try {
      if (!skip.includes(mount.name)) app = await loadWrapped(mount, () => onLoad(mount.name));
    } catch (error) {
      failures.push({ mount: mount.name, message: explain(error) });
    }
    const admission = hasOwnPlaces(mount, config)
      ? new Admission({ ...mount.limits, queueTimeout: mount.timeouts.queue })
      : shared;
    mounts.push(makeMount(mount, app, admission, slots));
  }
  return { mounts, failures };
}

/** Boots every mount once, for `viaduct check`; one text for each that failed. */
export async function tryBoot(config: Config): Promise<string[]> {
  const { failures } = await bootMounts(config, new MetricSlots());
  return failures.map(({ mount, message }) => `mount ${mount}: ${message}`);
}

/** Stands in for an app that did not boot. */
function unavailable(metrics: MountMetrics): Application {
  return (environ, startResponse) => {
    metrics.shed('app_failed');
    const page = errorPage(503, environ['viaduct.request_id'], RETRY_AFTER);
    startResponse(page.status, page.headers);
    return [page.body];
  };
}

function explain(error: unknown): string {
  const stack = error instanceof Error && error.cause instanceof Error ? `\n${error.cause.stack ?? ''}` : '';
  return `${error instanceof Error ? error.message : String(error)}${stack}`;
}

/** A mount that sets limits.requests, limits.queue or timeouts.queue has places of its own; all others share the worker's. */
const hasOwnPlaces = (mount: MountConfig, config: Config): boolean =>
  mount.limits.requests !== config.limits.requests ||
  mount.limits.queue !== config.limits.queue ||
  mount.timeouts.queue !== config.timeouts.queue;

async function loadWrapped(mount: MountConfig, onLoad: () => void): Promise<Application> {
  onLoad();
  let app = await loadApplication(mount.app, mount.timeouts.boot);
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
    env: Object.entries(mount.env).map(([name, value]) => [name, native(value)] as const),
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
