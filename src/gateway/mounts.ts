// Which mount answers a request: by host, then by the longest path prefix at a "/" boundary.
import { isBelow } from './path.ts';

/** Where a mount sits. `path` has no trailing slash; the root is "". `host` is exact, "*.suffix" or null. */
export interface MountPoint {
  readonly path: string;
  readonly host: string | null;
}

/** Longest path first, so that the first hit wins. */
type Group<M> = readonly M[];

export class MountTable<M extends MountPoint> {
  readonly #any: Group<M>;
  readonly #exact = new Map<string, Group<M>>();
  readonly #suffixes: [suffix: string, group: Group<M>][] = [];

  constructor(mounts: readonly M[]) {
    const groups = groupByHost(mounts);
    this.#any = sorted(groups.get('') ?? []);
    for (const [host, group] of groups) {
      if (host.startsWith('*.')) this.#suffixes.push([host.slice(1), sorted(group)]);
      else if (host !== '') this.#exact.set(host, sorted(group));
    }
    this.#suffixes.sort(([a], [b]) => b.length - a.length);
  }

  /** The mount for a path and a Host header ("" when there is none), or null. An exact host goes before a wildcard, that before none. */
  find(path: string, hostHeader: string): M | null {
    if (this.#exact.size > 0 || this.#suffixes.length > 0) {
      const host = hostName(hostHeader);
      const hit = longest(this.#exact.get(host), path);
      if (hit !== null) return hit;
      for (const [suffix, group] of this.#suffixes) {
        const match = host.endsWith(suffix) && host.length > suffix.length ? longest(group, path) : null;
        if (match !== null) return match;
      }
    }
    return longest(this.#any, path);
  }
}

const hostKey = (mount: MountPoint): string => mount.host?.toLowerCase() ?? '';

function groupByHost<M extends MountPoint>(mounts: readonly M[]): Map<string, M[]> {
  const groups = new Map<string, M[]>();
  for (const mount of mounts) {
    const group = groups.get(hostKey(mount));
    if (group === undefined) groups.set(hostKey(mount), [mount]);
    else group.push(mount);
  }
  return groups;
}

const sorted = <M extends MountPoint>(group: readonly M[]): Group<M> =>
  group.toSorted((a, b) => b.path.length - a.path.length);

function longest<M extends MountPoint>(group: Group<M> | undefined, path: string): M | null {
  for (const mount of group ?? []) {
    if (mount.path === '' || isBelow(path, mount.path)) return mount;
  }
  return null;
}

/** The host of a Host header in lower case: without its port and without a final dot. */
export function hostName(header: string): string {
  const end = header.startsWith('[') ? header.indexOf(']') + 1 : header.indexOf(':');
  const host = (end > 0 ? header.slice(0, end) : header).toLowerCase();
  return host.endsWith('.') ? host.slice(0, -1) : host;
}

/** The port of a Host header, or "". */
export function hostPort(header: string): string {
  return /:([0-9]{1,5})$/.exec(header)?.[1] ?? '';
}
