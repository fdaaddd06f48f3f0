// The effective configuration as a file again, and what must not be seen in it.
import { stringify } from 'yaml';
import { formatAddress, formatClientRange } from './address.ts';
import type { LoadedConfig } from './load.ts';
import { isMapping } from './mapping.ts';
import type { KeyPath } from './problems.ts';
import { formatReference, type ScriptReference } from './reference.ts';
import type {
  Config,
  ListenerConfig,
  MiddlewareConfig,
  MountConfig,
  MountLimits,
  MountTimeouts,
  PythonConfig,
  Recycle,
  Timeouts,
} from './types.ts';
import { formatDuration, formatPercentage, formatSize } from './units.ts';

/** Stands where a secret was. */
export const MASK = '***';

const SECRET_NAME = /KEY|TOKEN|SECRET|PASS|CREDENTIAL|DSN/i;
const URL_WITH_USER = /[a-z][a-z0-9+.-]*:\/\/[^/\s@]+@/i;

/** Whether a value is not to be seen, by its name or its form. */
export const looksSecret = (name: string, value: string): boolean =>
  SECRET_NAME.test(name) || URL_WITH_USER.test(value);

/**
 * A copy in which the values of `mounts[].env` and of middleware options are masked where their name or form says
 * secret, or where they came from the environment.
 */
export function maskSecrets(loaded: Pick<LoadedConfig, 'config' | 'interpolated'>): Config {
  const fromOutside = new Set(loaded.interpolated.map(pathKey));
  const mask = (value: unknown, path: KeyPath, isSecret: boolean): unknown => {
    if (Array.isArray(value))
      return value.map((item: unknown, index) => mask(item, [...path, index], isSecret));
    if (typeof value === 'object' && value !== null) {
      const entries = Object.entries(value).map(([name, inner]) => [
        name,
        mask(inner, [...path, name], isSecret || SECRET_NAME.test(name)),
      ]);
      return Object.fromEntries(entries) as unknown;
    }
    const secret =
      isSecret || fromOutside.has(pathKey(path)) || (typeof value === 'string' && URL_WITH_USER.test(value));
    return secret ? MASK : value;
  };
  const mounts = loaded.config.mounts.map((mount, index) => ({
    ...mount,
    env: mask(mount.env, ['mounts', index, 'env'], false) as Record<string, string>,
    middleware: mount.middleware.map(({ use, options }, place) => ({
      use,
      options:
        options &&
        (mask(
          hideUsers(use, options),
          ['mounts', index, 'middleware', place, 'options'],
          false,
        ) as typeof options),
    })),
  }));
  return { ...loaded.config, mounts };
}

/** The names under which viaduct:basic-auth has passwords say nothing of secrets. */
function hideUsers(use: ScriptReference, options: Record<string, unknown>): Record<string, unknown> {
  const { users } = options;
  if (use.kind !== 'builtin' || use.builtin !== 'viaduct:basic-auth' || !isMapping(users)) return options;
  return { ...options, users: Object.fromEntries(Object.keys(users).map((name) => [name, MASK])) };
}

/** YAML that loads to the same configuration. */
export function formatConfig(config: Config): string {
  return stringify(escapeTexts(toFile(config)), { lineWidth: 0 });
}

/** What looks like `${NAME}` here is text, and must be text again when read. */
function escapeTexts(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll('${', () => '$${');
  if (Array.isArray(value)) return value.map(escapeTexts);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, escapeTexts(inner)]));
}

function pathKey(path: KeyPath): string {
  return JSON.stringify(path);
}

function toFile(config: Config): Record<string, unknown> {
  const { limits, timeouts, recycle, admin, log } = config;
  return {
    listeners: config.listeners.map(listenerToFile),
    workers: config.workers,
    run_dir: config.runDir,
    user: config.user,
    group: config.group,
    limits: {
      params_size: formatSize(limits.paramsSize),
      params_count: limits.paramsCount,
      connections: limits.connections,
      ...limitsToFile(limits),
    },
    timeouts: timeoutsToFile(timeouts),
    recycle: recycleToFile(recycle),
    mounts: config.mounts.map(mountToFile),
    admin: admin === null ? false : { address: formatAddress(admin.address) },
    log: {
      level: log.level,
      file: log.file,
      access: { ...log.access, sample: formatPercentage(log.access.sample) },
      request_id_header: log.requestIdHeader ?? false,
      slow: orZero(log.slow, formatDuration),
    },
  };
}

function listenerToFile(listener: ListenerConfig): Record<string, unknown> {
  const { address, protocol, mode, owner, group, backlog, allowedClients } = listener;
  const access =
    address.kind === 'unix'
      ? { mode: mode.toString(8).padStart(4, '0'), owner, group }
      : { allowed_clients: allowedClients?.map(formatClientRange) ?? null };
  return { address: formatAddress(address), protocol, backlog, ...access };
}

function mountToFile(mount: MountConfig): Record<string, unknown> {
  return {
    path: mount.path,
    ...(mount.host === null ? {} : { host: mount.host }),
    name: mount.name,
    app: formatReference(mount.app),
    interface: mount.interface,
    env: mount.env,
    middleware: mount.middleware.map(middlewareToFile),
    timeouts: timeoutsToFile(mount.timeouts),
    limits: limitsToFile(mount.limits),
    access_log: mount.accessLog,
    ...(mount.python === null ? {} : { python: pythonToFile(mount.python) }),
  };
}

function pythonToFile({ recycle, ...python }: PythonConfig): Record<string, unknown> {
  const { max_requests, max_age, max_memory } = recycleToFile(recycle);
  return { ...python, max_requests, max_age, max_memory };
}

function recycleToFile(recycle: Recycle): Record<string, unknown> {
  return {
    max_requests: recycle.maxRequests,
    max_age: orZero(recycle.maxAge, formatDuration),
    max_memory: orZero(recycle.maxMemory, formatSize),
    jitter: formatPercentage(recycle.jitter),
  };
}

function middlewareToFile({ use, options }: MiddlewareConfig): unknown {
  if (options === undefined) return formatReference(use);
  const { max_age } = options;
  // Of the options only durations are not as the file has them.
  const isDuration = use.kind === 'builtin' && typeof max_age === 'number';
  const written = isDuration ? { ...options, max_age: orZero(max_age, formatDuration) } : options;
  return { use: formatReference(use), options: written };
}

function limitsToFile(limits: MountLimits): Record<string, unknown> {
  return {
    body_size: orZero(limits.bodySize, formatSize),
    response_headers_size: formatSize(limits.responseHeadersSize),
    requests: limits.requests,
    queue: limits.queue,
  };
}

/** Whichever of them there are: their names are the same in the file. */
function timeoutsToFile(timeouts: MountTimeouts | Timeouts): Record<string, string | number> {
  const entries = Object.entries(timeouts) as [string, number][];
  return Object.fromEntries(entries.map(([name, value]) => [name, orZero(value, formatDuration)]));
}

/** 0 needs no unit, and as text it would be printed in quotes. */
function orZero(amount: number, format: (amount: number) => string): string | number {
  return amount === 0 ? 0 : format(amount);
}
