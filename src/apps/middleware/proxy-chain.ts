// What proxies say of those before them: the addresses in X-Forwarded-For and Forwarded (RFC 7239), the nearest first.
// Knows who is trusted, and nothing of an environ.
import { BlockList, isIP, isIPv4 } from 'node:net';
import { trustedRanges, UNIX_PEERS } from '../../config/trust.ts';

/** A chain longer than this is not followed any further. */
const MAX_HOPS = 100;

/** A look into a BlockList costs 3 us; proxies are few, and come with every request. */
const MAX_KNOWN = 256;

export interface Address {
  readonly ip: string;
  /** "": not told. */
  readonly port: string;
}

/** What one proxy has said. */
export interface Hop {
  /** As it stands there. */
  readonly text: string;
  /** null: unknown, hidden, or no address. */
  readonly from: Address | null;
  /** Of Forwarded only; "": not told. */
  readonly proto: string;
  readonly host: string;
}

export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #unix: boolean;
  readonly #known = new Map<string, boolean>();

  /** @param trust as the option has it */
  constructor(trust: readonly string[]) {
    this.#unix = trust.includes(UNIX_PEERS);
    for (const { address, prefix, family } of trust.flatMap(trustedRanges))
      this.#list.addSubnet(address, prefix, family);
  }

  /** `address` as REMOTE_ADDR has it: an IP address, or "", "unix:" and the like for a peer without one. */
  has(address: string): boolean {
    const known = this.#known.get(address);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    const found = this.#look(address);
    this.#known.set(address, found);
    return found;
  }

  #look(address: string): boolean {
    if (address === '' || address.startsWith('unix:')) return this.#unix;
    const [plain = ''] = address.split('%');
    return isIP(plain) !== 0 && this.#list.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
  }

  /**
   * Those of `hops` that trusted proxies wrote; `peer` is who the request came from, and trusted.
   * @param most how many proxies there can be
   */
  written(hops: Iterable<Hop>, most: number): Hop[] {
    const written: Hop[] = [];
    for (const hop of hops) {
      if (written.length >= Math.min(most, MAX_HOPS)) break;
      written.push(hop);
      if (hop.from === null || !this.has(hop.from.ip)) break;
    }
    return written;
  }
}

/** Of X-Forwarded-For. */
export function* listedHops(header: string): Generator<Hop> {
  for (const entry of header.split(',').toReversed()) {
    const text = entry.trim();
    yield { text, from: parseNode(text), proto: '', host: '' };
  }
}

const TOKEN = String.raw`[!#$%&'*+.^_\x60|~0-9A-Za-z-]+`;
// A value that should have been quoted (an IPv6 address, a port) is taken, since proxies send such.
const PAIR = String.raw`${TOKEN}=(?:"(?:[^"\\]|\\.)*"|[^\s",;]*)`;
const LAST_ELEMENT = new RegExp(String.raw`(?:^|,)[ \t]*(${PAIR}(?:[ \t]*;[ \t]*${PAIR})*)[ \t]*$`);
const EACH_PAIR = new RegExp(PAIR, 'g');

/**
 * Of Forwarded. Read from its end, where the trusted proxies write: whatever a client has put in front, an open quote
 * say, cannot reach what follows.
 */
export function* forwardedHops(header: string): Generator<Hop> {
  let rest = header;
  for (;;) {
    const found = LAST_ELEMENT.exec(rest);
    const text = found?.[1];
    if (found === null || text === undefined) return;
    const pairs = new Map((text.match(EACH_PAIR) ?? []).map(splitPair));
    const from = parseNode(pairs.get('for') ?? '');
    yield { text, from, proto: pairs.get('proto') ?? '', host: pairs.get('host') ?? '' };
    if (found.index === 0) return;
    rest = rest.slice(0, found.index);
  }
}

function splitPair(pair: string): [name: string, value: string] {
  const at = pair.indexOf('=');
  const value = pair.slice(at + 1);
  const plain = value.startsWith('"') ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : value;
  return [pair.slice(0, at).toLowerCase(), plain];
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`; null for anything else. */
export function parseNode(text: string): Address | null {
  if (isIP(text) !== 0) return { ip: text, port: '' };
  const [, bracketed, plain, port = ''] =
    /^(?:\[([^\]]*)\]|([0-9.]+))(?::([0-9]{1,5}|_[\w.-]+))?$/.exec(text) ?? [];
  const ip = bracketed ?? plain ?? '';
  const isRight = bracketed === undefined ? isIPv4(ip) : isIP(ip) === 6;
  return isRight ? { ip, port: /^[0-9]+$/.test(port) && Number(port) <= 65_535 ? port : '' } : null;
}
