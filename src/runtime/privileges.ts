// Giving up root: the apps never run with more rights than they need.
import type { Config } from '../config/types.ts';
import { lookupGroup, lookupUser } from './users.ts';

type Accounts = Pick<Config, 'user' | 'group'>;

/** The configured user or group cannot be taken on. */
export class PrivilegeError extends Error {
  override readonly name = 'PrivilegeError';
  readonly code = 'ERR_PRIVILEGES';
}

/** Whom a worker becomes; null: it stays who it is. */
export interface Target {
  /** null: the user stays. */
  readonly user: { readonly name: string; readonly uid: number } | null;
  readonly gid: number;
}

/**
 * Whom `user` and `group` mean, if that can be taken on from here.
 * @throws {PrivilegeError}
 */
export function findTarget({ user, group }: Accounts): Target | null {
  if (user === null && group === null) return null;
  const account = user === null ? undefined : lookupUser(user);
  if (user !== null && account === undefined)
    throw new PrivilegeError(`Cannot run as user "${user}": there is no such user`);
  const wanted = group === null ? undefined : lookupGroup(group);
  if (group !== null && wanted === undefined)
    throw new PrivilegeError(`Cannot run as group "${group}": there is no such group`);
  const ownUid = process.getuid?.() ?? 0;
  const ownGid = process.getgid?.() ?? 0;
  const gid = wanted?.gid ?? account?.gid ?? ownGid;
  if (ownUid === 0) return { user: account ?? null, gid };
  if ((account !== undefined && account.uid !== ownUid) || gid !== ownGid) {
    throw new PrivilegeError(
      `Cannot run as ${describeAccounts({ user, group })}: only root can change user or group, and viaduct was not started as root`,
    );
  }
  return null;
}

const describeAccounts = ({ user, group }: Accounts): string =>
  [...(user === null ? [] : [`user "${user}"`]), ...(group === null ? [] : [`group "${group}"`])].join(
    ' and ',
  );

/** Whose the files are that workers write; null: ours. */
export function targetIds(accounts: Accounts): { uid: number; gid: number } | null {
  const target = findTarget(accounts);
  return target === null ? null : { uid: target.user?.uid ?? 0, gid: target.gid };
}

/**
 * Switches to `user` and `group`; without root there is nothing to drop, and then they must be who we are.
 * @throws {PrivilegeError}
 */
export function dropPrivileges(accounts: Accounts): void {
  const target = findTarget(accounts);
  const { setgid, setuid, setgroups } = process;
  const { initgroups } = process as { initgroups?: (user: string, extraGroup: number) => void };
  if (target === null || !setgid || !setuid || !initgroups || !setgroups) return;
  const { user, gid } = target;
  setgid(gid);
  if (user === null) return;
  // Root's own groups would otherwise stay with us.
  if (user.name === accounts.user) initgroups(user.name, gid);
  else setgroups([gid]);
  setuid(user.uid);
}
