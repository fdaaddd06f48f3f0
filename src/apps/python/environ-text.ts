// The text of an environ, as it goes to Python. Its names come again and again: a list of them is told to a process once, and
// stands for itself by its number from then on. Knows no frame and no socket.
import type { Environ } from '../../gateway/contract.ts';

export interface EnvironText {
  readonly names: NameList;
  /** One for each of the names, joined by NUL: latin-1, as PEP 3333 has it. */
  readonly values: string;
}

export interface NameList {
  /** 0..MAX_LISTS-1; -1: it is never told, and goes with each request. */
  readonly number: number;
  readonly names: readonly string[];
  /** Joined by NUL. */
  readonly text: string;
}

/** First come, first served: what a peer sends can fill the table, but never grow it. */
export const MAX_LISTS = 64;
/** Characters of a list that is told. */
export const MAX_LIST = 4094;

const WIDE = /[^\0-\xff]/;

/** The lists of names of one mount. */
export class NameLists {
  readonly #lists: NameList[] = [];
  #last: NameList = { number: -1, names: [], text: '' };

  /**
   * All that is a string; the rest of an environ is made in Python.
   * @throws {TypeError} when a string has a NUL or a character above U+00FF
   */
  textOf(environ: Environ): EnvironText {
    const keys = Object.keys(environ);
    // Five times as fast as a look-up each. A signal that is there is no text, and reading it would make it.
    const all = Object.hasOwn(environ, 'viaduct.signal')
      ? keys.map((name) => (name === 'viaduct.signal' ? null : environ[name]))
      : Object.values(environ);
    const names: string[] = [];
    const values: string[] = [];
    for (let at = 0; at < keys.length; at += 1) {
      const value = all[at];
      if (typeof value !== 'string') continue;
      if (value.includes('\0')) throw unfit(value, 'a NUL');
      names.push(keys[at] as string);
      values.push(value);
    }
    const joined = values.join('\0');
    if (WIDE.test(joined)) throw wide(values);
    return { names: this.#find(names), values: joined };
  }

  #find(names: readonly string[]): NameList {
    if (!areSame(names, this.#last.names))
      this.#last = this.#lists.find((list) => areSame(names, list.names)) ?? this.#add(names);
    return this.#last;
  }

  #add(names: readonly string[]): NameList {
    for (const name of names) if (name.includes('\0')) throw unfit(name, 'a NUL');
    const text = names.join('\0');
    if (WIDE.test(text)) throw wide(names);
    const isKept = this.#lists.length < MAX_LISTS && text.length <= MAX_LIST;
    const list = { number: isKept ? this.#lists.length : -1, names, text };
    if (isKept) this.#lists.push(list);
    return list;
  }
}

function areSame(names: readonly string[], others: readonly string[]): boolean {
  if (names.length !== others.length) return false;
  for (let at = 0; at < names.length; at += 1) if (names[at] !== others[at]) return false;
  return true;
}

const wide = (texts: readonly string[]): TypeError =>
  unfit(texts.find((text) => WIDE.test(text)) ?? '', 'a character above U+00FF');

function unfit(text: string, what: string): TypeError {
  return new TypeError(`Cannot send environ to Python: ${JSON.stringify(text.slice(0, 60))} has ${what}`);
}
