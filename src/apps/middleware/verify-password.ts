// Whether a password is the right one, in a time that does not tell. What scrypt has proved is remembered for a while, so
// that not every request pays for it. Knows nothing of HTTP.
import { Buffer } from 'node:buffer';
import { createHash, createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { MAX_SCRYPT_MEMORY, type Password, type ScryptHash } from '../../config/password.ts';

/** Names with their right passwords that are remembered; the one unused for longest goes first. */
const MAX_PROVED = 1024;

/** Passwords that wait for scrypt, also those whose clients have left: without an end to them nobody else would get in. */
const MAX_PENDING = 64;

export class PasswordTable {
  readonly #users: ReadonlyMap<string, Password>;
  /** Compared with where there is no such user, so that this takes as long. */
  readonly #decoy: Password;
  /** Under keyed hashes: memory never holds a password for it. */
  readonly #proved = new Set<string>();
  /** Under way, by the same hashes: a browser's six first requests cost one computation. */
  readonly #pending = new Map<string, Promise<boolean>>();
  readonly #key = randomBytes(32);
  /** One at a time: a flood of wrong passwords takes one thread of the pool, and the memory of one. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(users: ReadonlyMap<string, Password>) {
    this.#users = users;
    const all = [...users.values()];
    this.#decoy = all.find(({ kind }) => kind === 'scrypt') ?? all[0] ?? { kind: 'plain', text: '' };
  }

  /** A promise only where scrypt has to run; null: not now, too many wait for it. */
  check(name: string, password: Buffer): boolean | Promise<boolean> | null {
    const found = this.#users.get(name);
    const wanted = found ?? this.#decoy;
    const isKnown = found !== undefined;
    if (wanted.kind !== 'scrypt') return isEqual(wanted, password) && isKnown;
    const key = createHmac('sha256', this.#key).update(`${name}\0`).update(password).digest('base64');
    if (this.#proved.delete(key)) {
      this.#proved.add(key);
      return true;
    }
    const same = this.#pending.get(key);
    if (same !== undefined) return same;
    if (this.#pending.size >= MAX_PENDING) return null;
    const pending = this.#prove(key, wanted, password, isKnown);
    this.#pending.set(key, pending);
    return pending;
  }

  async #prove(key: string, wanted: ScryptHash, password: Buffer, isKnown: boolean): Promise<boolean> {
    const turn = this.#turn.then(() => runScrypt(wanted, password));
    this.#turn = turn.catch(() => undefined);
    try {
      const isRight = timingSafeEqual(await turn, wanted.hash) && isKnown;
      if (isRight) this.#remember(key);
      return isRight;
    } finally {
      this.#pending.delete(key);
    }
  }

  #remember(key: string): void {
    this.#proved.add(key);
    const [oldest] = this.#proved;
    if (this.#proved.size > MAX_PROVED && oldest !== undefined) this.#proved.delete(oldest);
  }
}

function runScrypt(
  { cost, blockSize, parallelization, salt, hash }: ScryptHash,
  password: Buffer,
): Promise<Buffer> {
  // Besides 128 N r there are 128 r p, and a little more.
  const options = { cost, blockSize, parallelization, maxmem: 2 * MAX_SCRYPT_MEMORY };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, hash.length, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** Both sides hashed: then their lengths are the same, and what the time tells is of hashes. */
function isEqual(wanted: Exclude<Password, ScryptHash>, password: Buffer): boolean {
  if (wanted.kind === 'digest')
    return timingSafeEqual(createHash(wanted.algorithm).update(password).digest(), wanted.hash);
  const sha256 = (data: Uint8Array): Buffer => createHash('sha256').update(data).digest();
  return timingSafeEqual(sha256(password), sha256(Buffer.from(wanted.text)));
}
