// YAML text to plain data, with the place of every key and value. Knows nothing of what the keys mean,
// but for two things that are always text: the values of `mounts[].env`, and the passwords of viaduct:basic-auth.
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, Scalar } from 'yaml';
import type { Document, Node, Pair, ParsedNode, YAMLMap } from 'yaml';
import { interpolate, retype } from './interpolate.ts';
import { BadValue } from './problems.ts';
import type { Issue, KeyPath } from './problems.ts';

export interface Position {
  line: number;
  column: number;
}

type Fault = Position & { message: string; hint?: string };

export interface SourceDocument {
  /** Plain objects, arrays and scalars; undefined where `issues` says why. */
  data: unknown;
  issues: Issue[];
  /** Where YAML itself is wrong; with `fatal` the data cannot be trusted. */
  syntax: Fault[];
  fatal: boolean;
  /** Paths of the texts that came, wholly or in part, from the environment. */
  interpolated: KeyPath[];
  /** The value at `path`, or its key, or the innermost thing around it that the file has. */
  locate(path: KeyPath, atKey?: boolean): Position;
}

/** Aliases may repeat this many values in all; a few lines of nested aliases can mean billions. */
const MAX_ALIASED_VALUES = 10_000;
const MAX_DEPTH = 64;
/** One slip makes many more after it; the first ones say it. */
const MAX_FAULTS = 5;
const TOO_DEEP = 'The file is nested too deeply';

export function readDocument(source: string, env: NodeJS.ProcessEnv): SourceDocument {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const faults: Fault[] = [...document.errors, ...document.warnings].map(({ pos, message, code }) => ({
    ...at(pos[0]),
    ...explainFault(code, message, source, pos[0]),
  }));
  const { explicit, version } = document.directives.yaml;
  if (explicit === true && version !== '1.2') {
    faults.unshift({ line: 1, column: 1, message: `Expected YAML 1.2, found "%YAML ${version}"` });
  }
  const fatal = document.errors.some((error) => error.code !== 'DUPLICATE_KEY');
  const reader = new Reader(document, env);
  const data = fatal ? undefined : reader.read(document.contents, []);
  return {
    data,
    issues: reader.issues,
    syntax: firstFaults(faults),
    fatal,
    interpolated: reader.interpolated,
    locate: (path, atKey = false) => at(findOffset(document, path, atKey)),
  };
}

function explainFault(
  code: string,
  message: string,
  source: string,
  offset: number,
): { message: string; hint?: string } {
  const text = message.replace(/\.$/, '');
  // the YAML parser recurses, and reports the end of its stack as a mistake of the file
  if (/call stack/.test(text)) return { message: TOO_DEEP };
  if (code === 'DUPLICATE_KEY') return { message: 'The key stands twice in the same mapping' };
  if (code === 'MULTIPLE_DOCS')
    return { message: 'Expected one YAML document, found a second one after "---"' };
  if (code === 'TAG_RESOLVE_FAILED') return { message: `Tags are not supported: ${text}` };
  const line = source.slice(source.lastIndexOf('\n', offset - 1) + 1).split('\n', 1)[0] ?? '';
  if (/[{[,:]\s*\$\{/.test(line)) return { message: text, hint: 'put "${...}" in quotes inside { } and [ ]' };
  if (/:\s*\[[0-9a-f:]*:[0-9a-f:]*\]:\d/i.test(line))
    return { message: text, hint: 'put the IPv6 address in quotes' };
  return { message: text };
}

function firstFaults(faults: Fault[]): Fault[] {
  const tooDeep = faults.find((fault) => fault.message === TOO_DEEP);
  return tooDeep === undefined ? faults.slice(0, MAX_FAULTS) : [tooDeep];
}

/** Node by node, so that aliases are counted and no key reaches an object's prototype. */
class Reader {
  readonly issues: Issue[] = [];
  readonly interpolated: KeyPath[] = [];
  readonly #document: Document.Parsed;
  readonly #env: NodeJS.ProcessEnv;
  readonly #open = new Set<unknown>();
  #aliasDepth = 0;
  #aliased = 0;

  constructor(document: Document.Parsed, env: NodeJS.ProcessEnv) {
    this.#document = document;
    this.#env = env;
  }

  read(node: unknown, path: KeyPath): unknown {
    if (this.#aliasDepth > 0 && ++this.#aliased > MAX_ALIASED_VALUES) {
      if (this.#aliased === MAX_ALIASED_VALUES + 1) {
        this.#fail(path.slice(0, 1), `Aliases repeat more than ${MAX_ALIASED_VALUES} values`);
      }
      return undefined;
    }
    if (path.length > MAX_DEPTH) return this.#fail(path, `Nested more than ${MAX_DEPTH} levels deep`);
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      if (target === undefined)
        return this.#fail(path, `The alias *${node.source} has no anchor &${node.source} before it`);
      if (this.#open.has(target)) return this.#fail(path, `The alias *${node.source} contains itself`);
      this.#aliasDepth++;
      const value = this.read(target, path);
      this.#aliasDepth--;
      return value;
    }
    if (isScalar(node)) return this.#readScalar(node, path);
    this.#open.add(node);
    const value = isMap(node)
      ? this.#readMap(node, path)
      : isSeq(node)
        ? this.#readList(node.items, path)
        : null;
    this.#open.delete(node);
    return value;
  }

  #readList(items: unknown[], path: KeyPath): unknown[] {
    return items.map((item, index) => this.read(item, [...path, index]));
  }

  #readMap(map: YAMLMap, path: KeyPath): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    for (const pair of map.items) {
      const key = keyOf(pair);
      const place = [...path, key ?? ''];
      if (key === undefined)
        this.#fail(path, 'Expected a text as key, found a list, a mapping or nothing', undefined, true);
      else if (key === '__proto__') this.#fail(place, 'This key is not allowed', undefined, true);
      else if (key === '<<') this.#fail(place, 'Merge keys are not supported', 'write the keys out', true);
      else result[key] = this.read(pair.value, place);
    }
    return result;
  }

  #readScalar(node: Scalar, path: KeyPath): unknown {
    const asText = this.#isText(path);
    if (typeof node.value !== 'string') {
      // 1.10 and 0660 must reach an app as they were written, not as the numbers YAML makes of them
      return asText && node.value !== null && node.source !== undefined ? node.source : node.value;
    }
    try {
      const { text, changed } = interpolate(node.value, this.#env);
      if (!changed) return text;
      this.interpolated.push(path);
      return node.type === Scalar.PLAIN && !asText ? retype(text) : text;
    } catch (error) {
      if (!(error instanceof BadValue)) throw error;
      return this.#fail(path, error.message, error.hint);
    }
  }

  #isText(path: KeyPath): boolean {
    if (path[0] !== 'mounts') return false;
    if (path.length === 4) return path[2] === 'env';
    if (path.length !== 7 || path[2] !== 'middleware' || path[4] !== 'options' || path[5] !== 'users')
      return false;
    return this.#document.getIn([...path.slice(0, 4), 'use']) === 'viaduct:basic-auth';
  }

  #fail(path: KeyPath, message: string, hint?: string, atKey = false): undefined {
    this.issues.push({ path, message, hint, atKey });
  }
}

function keyOf(pair: Pair): string | undefined {
  const { key } = pair;
  if (!isScalar(key)) return undefined;
  const { value } = key;
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;
}

function findOffset(document: Document.Parsed, path: KeyPath, atKey: boolean): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node) && typeof part === 'number') {
      node = node.items[part];
    } else if (isMap(node)) {
      const pair: Pair | undefined = node.items.find((item) => keyOf(item) === String(part));
      if (pair === undefined) return offset;
      const keyOffset = startOf(pair.key);
      if (atKey && depth === path.length - 1) return keyOffset ?? offset;
      node = pair.value;
      offset = keyOffset ?? offset;
    } else {
      return offset;
    }
    offset = startOf(node) ?? offset;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  return (node as Node | ParsedNode | null | undefined)?.range?.[0];
}
