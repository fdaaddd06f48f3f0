// Giving up root once the sockets are bound: the apps never run with more rights than they need.
import type { Config } from '../config/types.ts';
import { lookupGroup, lookupUser } from './users.ts';

/** The configured user or group cannot be taken on. */
export class PrivilegeError extends Error {
  override readonly name = 'PrivilegeError';
  readonly code = 'ERR_PRIVILEGES';
}

/**
 * Switches to `user` and `group`; without root there is nothing to drop, and then they must be who we are.
 * @throws {PrivilegeError}
 */
export function dropPrivileges({ user, group }: Pick<Config, 'user' | 'group'>): void {
  if (user === null && group === null) return;
  const { setgid, setuid, setgroups, getuid, getgid } = process;
  const { initgroups } = process as { initgroups?: (user: string, extraGroup: number) => void };
  if (setgid === undefined || setuid === undefined || initgroups === undefined || setgroups === undefined)
    return;
  const account = user === null ? undefined : lookupUser(user);
  if (user !== null && account === undefined)
    throw new PrivilegeError(`Cannot run as user "${user}": there is no such user`);
  const wanted = group === null ? undefined : lookupGroup(group);
  if (group !== null && wanted === undefined)
    throw new PrivilegeError(`Cannot run as group "${group}": there is no such group`);
  const gid = wanted?.gid ?? account?.gid;
  if (getuid?.() !== 0) {
    if ((account !== undefined && account.uid !== getuid?.()) || (gid !== undefined && gid !== getgid?.())) {
      throw new PrivilegeError(
        `Cannot run as ${user ?? ''}:${group ?? ''}: only root can change user or group, and viaduct was not started as root`,
      );
    }
    return;
  }
  if (gid !== undefined) setgid(gid);
  if (account === undefined) return;
  // Root's own groups would otherwise stay with us.
  if (account.name === user) initgroups(account.name, gid ?? account.gid);
  else setgroups([gid ?? account.gid]);
  setuid(account.uid);
}
