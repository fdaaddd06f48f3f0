// An htpasswd file: one NAME:HASH a line. No message may quote a hash.
import { readFileSync } from 'node:fs';
import { parsePassword, type Password } from '../../config/password.ts';
import { BadValue } from '../../config/problems.ts';

/**
 * Names and hashes of `file`.
 * @throws {Error} naming the file, and the line that is no good
 */
export function readHtpasswd(file: string): Map<string, Password> {
  const users = new Map<string, Password>();
  for (const [index, line] of readLines(file).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const place = `Cannot use ${file}: line ${index + 1}`;
    const colon = line.indexOf(':');
    if (colon < 1)
      throw new Error(`${place}: Expected NAME:HASH, found ${colon === 0 ? 'no name' : 'no colon'}`);
    const name = line.slice(0, colon);
    if (users.has(name)) throw new Error(`${place}: the user ${JSON.stringify(name)} stands there twice`);
    users.set(name, readHash(line.slice(colon + 1), place));
  }
  return users;
}

function readLines(file: string): string[] {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file)).split(/\r?\n/);
  } catch (error) {
    const why =
      error instanceof TypeError
        ? 'expected UTF-8 text'
        : String(error instanceof Error ? error.message : error);
    throw new Error(`Cannot read ${file}: ${why}`, { cause: error });
  }
}

function readHash(text: string, place: string): Password {
  try {
    return parsePassword(text, false);
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    throw new Error(`${place}: ${error.message}`, { cause: error });
  }
}
