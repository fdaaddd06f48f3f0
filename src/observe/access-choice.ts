// Which requests have a line in the access log: all that went wrong or were slow, of the others a sample, and none where
// nobody wants to read of them. May not know what a line says.

export interface AccessChoiceOptions {
  /** From 0 to 1: the part of the requests that went well of which a line is written. */
  readonly sample: number;
  /** Paths, with `*` for anything, where requests that went well have no line; latin-1, as the path has it. */
  readonly exclude: readonly string[];
  /** Mounts without any line. */
  readonly silent: ReadonlySet<string>;
  /** Milliseconds; 0: nothing is slow. */
  readonly slow: number;
  /** From 0 to below 1; default: Math.random. */
  readonly random?: () => number;
}

/** A request that is over, as far as the choice looks at it. */
export interface Choosable {
  readonly mountName: string;
  /** 0: it ended without one. */
  readonly status: number;
  /** Milliseconds. */
  readonly duration: number;
  readonly aborted: string | null;
}

const FIRST_ERROR = 400;

export class AccessChoice {
  readonly #options: AccessChoiceOptions;
  readonly #random: () => number;
  readonly #excluded: readonly (readonly string[])[];

  constructor(options: AccessChoiceOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#excluded = options.exclude.map((pattern) => pattern.split('*'));
  }

  /** @param path SCRIPT_NAME and PATH_INFO; asked for only where it matters */
  wants(request: Choosable, path: () => string): boolean {
    const { sample, silent, slow } = this.#options;
    if (silent.size > 0 && silent.has(request.mountName)) return false;
    if (sample === 1 && this.#excluded.length === 0) return true;
    const { status, duration, aborted } = request;
    if (status >= FIRST_ERROR || status === 0 || aborted !== null) return true;
    if (slow > 0 && duration > slow) return true;
    if (this.#isExcluded(path)) return false;
    return sample === 1 || this.#random() < sample;
  }

  #isExcluded(path: () => string): boolean {
    if (this.#excluded.length === 0) return false;
    const found = path();
    return this.#excluded.some((parts) => fits(found, parts));
  }
}

/** Whether `path` is what the parts of a pattern, cut at each `*`, stand for. Each part is looked for once: no path takes long. */
function fits(path: string, parts: readonly string[]): boolean {
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  if (parts.length === 1) return path === first;
  if (path.length < first.length + last.length || !path.startsWith(first) || !path.endsWith(last))
    return false;
  const end = path.length - last.length;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = path.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
