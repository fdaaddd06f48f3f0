// Users and groups of this machine, from /etc/passwd and /etc/group: Node has no getpwnam.
// Users that only a directory service knows are not seen; for those give the number.
import { readFileSync } from 'node:fs';

export interface User {
  name: string;
  uid: number;
  /** The primary group. */
  gid: number;
}

export interface Group {
  name: string;
  gid: number;
}

/** The largest id; -1 (2^32 - 1) means "leave as it is" in chown(2). */
const MAX_ID = 2 ** 32 - 2;

/** undefined when there is no such name. A number that no line names is a user with itself as group. */
export function lookupUser(nameOrId: string, file = '/etc/passwd'): User | undefined {
  // passwd(5): name:password:UID:GID:GECOS:directory:shell
  const users = readRows(file).map(([name = '', , uid, gid]) => ({ name, uid: toId(uid), gid: toId(gid) }));
  const id = toId(nameOrId);
  const found = users.find(({ name }) => name === nameOrId) ?? users.find(({ uid }) => uid === id);
  if (found?.uid !== undefined && found.gid !== undefined)
    return { name: found.name, uid: found.uid, gid: found.gid };
  return id === undefined ? undefined : { name: nameOrId, uid: id, gid: id };
}

/** undefined when there is no such name. A number that no line names is taken as it is. */
export function lookupGroup(nameOrId: string, file = '/etc/group'): Group | undefined {
  // group(5): name:password:GID:members
  const groups = readRows(file).map(([name = '', , gid]) => ({ name, gid: toId(gid) }));
  const id = toId(nameOrId);
  const found = groups.find(({ name }) => name === nameOrId) ?? groups.find(({ gid }) => gid === id);
  if (found?.gid !== undefined) return { name: found.name, gid: found.gid };
  return id === undefined ? undefined : { name: nameOrId, gid: id };
}

/** The ids for chown(2): -1, leave as it is, for what is not named or not known here. */
export function ownerIds({ owner, group }: { owner: string | null; group: string | null }): {
  uid: number;
  gid: number;
} {
  return {
    uid: owner === null ? -1 : (lookupUser(owner)?.uid ?? -1),
    gid: group === null ? -1 : (lookupGroup(group)?.gid ?? -1),
  };
}

function readRows(file: string): string[][] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // a container may have no such file; numbers still work
    return [];
  }
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function toId(text: string | undefined): number | undefined {
  const id = text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
  return id !== undefined && id <= MAX_ID ? id : undefined;
}
