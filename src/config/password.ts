// A password as the configuration or an htpasswd file has it: plain, or hashed in a form that Node itself can verify.
// Knows how it is written, not how it is compared. No message may quote what it was given.
import { Buffer } from 'node:buffer';
import { BadValue } from './problems.ts';

export type Password =
  | { readonly kind: 'plain'; readonly text: string }
  | { readonly kind: 'digest'; readonly algorithm: 'sha1' | 'sha256'; readonly hash: Buffer }
  | ScryptHash;

export interface ScryptHash {
  readonly kind: 'scrypt';
  /** scrypt's N, r and p. */
  readonly cost: number;
  readonly blockSize: number;
  readonly parallelization: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

const DIGESTS = { SHA: ['sha1', 20], SHA256: ['sha256', 32] } as const;

/** Of one computation, in bytes: 128 N r. */
export const MAX_SCRYPT_MEMORY = 256 * 1024 * 1024;
const MAX_PARALLELIZATION = 16;
const SHORTEST_HASH = 16;

const HASHES = '{SHA256}BASE64, {SHA}BASE64 or $scrypt$ln=LN,r=R,p=P$SALT$HASH';

/** What other programs write, and Node cannot verify. */
const FOREIGN: readonly (readonly [RegExp, string])[] = [
  [/^\$apr1\$/, "an apr1 hash (htpasswd's default)"],
  [/^\$2[abxy]?\$/, 'a bcrypt hash (htpasswd -B)'],
  [/^\$1\$/, 'an md5-crypt hash'],
  [/^\$5\$/, 'a sha256-crypt hash (htpasswd -2)'],
  [/^\$6\$/, 'a sha512-crypt hash (htpasswd -5)'],
  [/^\$[\w-]+\$/, 'a hash of another kind'],
  [/^\{[\w-]+\}/, 'a hash of another kind'],
];

/**
 * Reads one. Plain text is one only where `plain` says so; `{PLAIN}TEXT` always is.
 * @throws {BadValue}
 */
export function parsePassword(text: string, plain: boolean): Password {
  const [, scheme = '', rest = ''] = /^\{(SHA256|SHA|PLAIN)\}(.*)$/s.exec(text) ?? [];
  if (scheme === 'PLAIN') return { kind: 'plain', text: rest };
  if (scheme === 'SHA' || scheme === 'SHA256') return parseDigest(scheme, rest);
  if (text.startsWith('$scrypt$')) return parseScrypt(text);
  const foreign = FOREIGN.find(([pattern]) => pattern.test(text))?.[1];
  if (foreign === undefined && plain) return { kind: 'plain', text };
  throw new BadValue(
    `Expected ${plain ? 'a password, or its hash as' : 'a hash as'} ${HASHES}, found ${foreign ?? 'none of them'}`,
    plain ? 'a password that only looks like one goes after {PLAIN}' : undefined,
  );
}

function parseDigest(scheme: keyof typeof DIGESTS, text: string): Password {
  const [algorithm, size] = DIGESTS[scheme];
  const hash = fromBase64(text);
  if (hash?.length === size) return { kind: 'digest', algorithm, hash };
  throw new BadValue(
    `Expected ${size} bytes in base64 after {${scheme}}, found ${hash === null ? 'something else' : `${hash.length} bytes`}`,
  );
}

/** The PHC string format, as passlib writes it. */
function parseScrypt(text: string): ScryptHash {
  const [, ln, r, p, saltText = '', hashText = ''] =
    /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,3}),p=(\d{1,3})\$([^$]*)\$([^$]*)$/.exec(text) ?? [];
  const salt = fromBase64(saltText);
  const hash = fromBase64(hashText);
  if (ln === undefined || salt === null || hash === null || hash.length < SHORTEST_HASH) {
    throw new BadValue(
      `Expected $scrypt$ln=LN,r=R,p=P$SALT$HASH with salt and hash in base64, the hash of ${SHORTEST_HASH} bytes or more, found something else after $scrypt$`,
    );
  }
  const [cost, blockSize, parallelization] = [2 ** Number(ln), Number(r), Number(p)];
  const isSane = Number(ln) > 0 && blockSize > 0 && parallelization > 0;
  if (
    !isSane ||
    128 * cost * blockSize > MAX_SCRYPT_MEMORY ||
    parallelization > MAX_PARALLELIZATION ||
    // RFC 7914, section 2
    cost >= 2 ** (16 * blockSize)
  ) {
    throw new BadValue(
      `Expected scrypt parameters that take at most ${MAX_SCRYPT_MEMORY / 1024 ** 2} MB, with p at most ${MAX_PARALLELIZATION}, found ln=${ln},r=${r},p=${p}`,
    );
  }
  return { kind: 'scrypt', cost, blockSize, parallelization, salt, hash };
}

/** With or without its padding, and with passlib's "." for "+"; null where it is something else. */
function fromBase64(text: string): Buffer | null {
  const plain = text.replace(/=+$/, '').replaceAll('.', '+');
  return /^[A-Za-z0-9+/]+$/.test(plain) && plain.length % 4 !== 1 ? Buffer.from(plain, 'base64') : null;
}
