// From the configuration's mounts to mounts that can serve: loads apps and middleware and puts them together.
import { Buffer } from 'node:buffer';
import { loadApplication, loadMiddleware } from '../apps/loader.ts';
import type { Config, MountConfig } from '../config/types.ts';
import { Admission } from '../gateway/admission.ts';
import type { Application } from '../gateway/contract.ts';
import type { Mount } from '../gateway/mount.ts';
import { MetricSlots } from '../observe/metric-slots.ts';

/** One mount that could not be booted. */
export interface BootFailure {
  readonly mount: string;
  readonly error: unknown;
}

/** Some mounts could not be booted; the others could. */
export class BootError extends Error {
  override readonly name = 'BootError';
  readonly failures: readonly BootFailure[];

  constructor(failures: readonly BootFailure[]) {
    super(
      failures
        .map(
          ({ mount, error }) => `mount ${mount}: ${error instanceof Error ? error.message : String(error)}`,
        )
        .join('\n'),
    );
    this.failures = failures;
  }
}

/** @throws {BootError} naming every mount that failed */
export async function bootMounts(config: Config, metrics: MetricSlots): Promise<Mount[]> {
  const shared = new Admission({ ...config.limits, queueTimeout: config.timeouts.queue });
  const mounts: Mount[] = [];
  const failures: BootFailure[] = [];
  for (const mount of config.mounts) {
    try {
      const app = await loadWrapped(mount);
      const admission = hasOwnPlaces(mount, config)
        ? new Admission({ ...mount.limits, queueTimeout: mount.timeouts.queue })
        : shared;
      mounts.push(makeMount(mount, app, admission, metrics));
    } catch (error) {
      failures.push({ mount: mount.name, error });
    }
  }
  if (failures.length > 0) throw new BootError(failures);
  return mounts;
}

/** Boots every mount once, for `viaduct check`; one text for each that failed. */
export async function tryBoot(config: Config): Promise<string[]> {
  try {
    await bootMounts(config, new MetricSlots());
    return [];
  } catch (error) {
    if (!(error instanceof BootError)) throw error;
    return error.failures.map(explainFailure);
  }
}

/** With the stack of what the app's own code threw: that is what its author needs. */
export function explainFailure({ mount, error }: BootFailure): string {
  const stack = error instanceof Error && error.cause instanceof Error ? `\n${error.cause.stack ?? ''}` : '';
  return `mount ${mount}: ${error instanceof Error ? error.message : String(error)}${stack}`;
}

/** A mount that sets limits.requests, limits.queue or timeouts.queue has places of its own; all others share the worker's. */
const hasOwnPlaces = (mount: MountConfig, config: Config): boolean =>
  mount.limits.requests !== config.limits.requests ||
  mount.limits.queue !== config.limits.queue ||
  mount.timeouts.queue !== config.timeouts.queue;

async function loadWrapped(mount: MountConfig): Promise<Application> {
  let app = await loadApplication(mount.app, mount.timeouts.boot);
  for (const { use, options } of mount.middleware.toReversed()) {
    const middleware = await loadMiddleware(use, mount.timeouts.boot);
    app = middleware(app, options);
    if (typeof app !== 'function')
      throw new TypeError(
        `Cannot wrap ${mount.name}: its middleware gave ${typeof app}, wanted an application`,
      );
  }
  return app;
}

function makeMount(mount: MountConfig, app: Application, admission: Admission, metrics: MetricSlots): Mount {
  const { limits, timeouts } = mount;
  metrics.mount(mount.name).watchQueue(limits.queue, () => {
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
    metrics: metrics.mount(mount.name),
  };
}

/** PEP 3333's native string: the UTF-8 bytes of the text, one character each. */
const native = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
