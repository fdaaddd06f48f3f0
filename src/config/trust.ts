// Whom viaduct:forwarded trusts: addresses, ranges, and names for ranges.
import { type ClientRange, parseClientRange } from './address.ts';
import { nearest } from './nearest.ts';
import { BadValue, describeValue } from './problems.ts';

/** Peers on Unix sockets, which have no address. */
export const UNIX_PEERS = 'unix';

/** As many proxies have them. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
  [UNIX_PEERS]: [],
};

/** For messages and descriptions. */
export const TRUSTED = `an IP address, a range such as 10.0.0.0/8, ${Object.keys(NAMES)
  .join(', ')
  .replace(/, ([^,]*)$/, ' or $1')}`;

/**
 * The ranges that one entry of `trust` stands for.
 * @throws {BadValue}
 */
export function trustedRanges(entry: string): ClientRange[] {
  if (Object.hasOwn(NAMES, entry)) return (NAMES[entry] ?? []).map(parseClientRange);
  try {
    return [parseClientRange(entry)];
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    const guess = nearest(entry, Object.keys(NAMES));
    throw new BadValue(
      `Expected ${TRUSTED}, found ${describeValue(entry)}`,
      guess === undefined ? undefined : `did you mean ${guess}?`,
    );
  }
}
