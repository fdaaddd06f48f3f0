// Constructors of environs for the lists of param names that come again and again: with them an environ costs a third of
// what it costs to store 24 params under names that only the request knows (bench/micro/decode.ts). It knows nothing of
// what params mean.

/** What a list of params gives, decided by its names, and by which values are empty. */
export interface Plan {
  /** Property name, and where its value stands among the params; -1 for a constant of the base. In their order. */
  readonly properties: readonly (readonly [name: string, at: number])[];
  /** Where a value has to be empty for the plan to fit ... */
  readonly empty: readonly number[];
  /** ... and where it must not be. */
  readonly filled: readonly number[];
}

/** Makes an object of one shape. The arguments behind `params` go to `own`. */
export type Maker<T> = new (params: readonly string[]) => T;

interface Shape<T> {
  readonly names: readonly string[];
  /** Null: such a list is always made the general way. */
  readonly plan: Plan | null;
  /** Null until it was seen often enough. */
  make: Maker<T> | null;
  seen: number;
}

/** Times that a list of names has to come before it is worth a constructor, which takes some 50 us to make. */
const OFTEN = 16;
/** Groups of shapes with the same length, a power of two. */
const GROUPS = 64;
/** Shapes of a group. */
const GROUP_SIZE = 4;

/** First come, first served: what a peer sends can fill the table, but never grow it; the rest is made the general way. */
export class ShapeTable<T extends object> {
  readonly #groups: Shape<T>[][] = Array.from({ length: GROUPS }, () => []);
  readonly #base: Readonly<Record<string, unknown>>;
  readonly #prototype: object;
  /** Null: this kind of list is always made the general way. */
  readonly #plan: (params: readonly string[]) => Plan | null;
  #enabled = true;

  constructor(
    base: Readonly<Record<string, unknown>>,
    prototype: object,
    plan: (params: readonly string[]) => Plan | null,
  ) {
    this.#base = base;
    this.#prototype = prototype;
    this.#plan = plan;
  }

  /** The constructor for `params` (name, value, name, value ...), or null. */
  find(params: readonly string[]): Maker<T> | null {
    const group = this.#groups[groupOf(params)] as Shape<T>[];
    for (const shape of group) {
      if (!fits(shape, params)) continue;
      if (shape.make === null) this.#count(shape);
      return shape.make;
    }
    if (group.length < GROUP_SIZE && this.#enabled) this.#add(group, params);
    return null;
  }

  #add(group: Shape<T>[], params: readonly string[]): void {
    const names = params.filter((_, at) => at % 2 === 0).map(ownCopy);
    const plan = this.#plan(params);
    const properties = plan?.properties.map(([name, at]): [string, number] => [ownCopy(name), at]) ?? [];
    group.push({ names, plan: plan && { ...plan, properties }, make: null, seen: 1 });
  }

  #count(shape: Shape<T>): void {
    shape.seen += 1;
    if (shape.seen < OFTEN || shape.plan === null || !this.#enabled) return;
    try {
      shape.make = this.#compile(shape.plan);
    } catch {
      // node --disallow-code-generation-from-strings: the general way does it all.
      this.#enabled = false;
    }
  }

  #compile({ properties }: Plan): Maker<T> {
    const lines = properties.map(([name, at]) => {
      const key = JSON.stringify(name);
      return `this[${key}] = ${at === -1 ? `base[${key}]` : `params[${at}]`};`;
    });
    // Every name is a JSON string: no text of a peer becomes code.
    // oxlint-disable-next-line typescript/no-implied-eval -- see above
    const define = new Function('base', `return function (params) { ${lines.join(' ')} }`) as (
      base: object,
    ) => Maker<T>;
    const make = define(this.#base);
    make.prototype = this.#prototype;
    return make;
  }
}

/** A slice would keep the whole text alive that it was cut from; a property key is a string of its own. */
const ownCopy = (name: string): string => Object.keys({ [name]: 0 })[0] ?? name;

function groupOf(params: readonly string[]): number {
  const { length } = params;
  if (length === 0) return 0;
  const last = params[length - 2] as string;
  return (length * 5 + last.length) & (GROUPS - 1);
}

function fits<T>({ names, plan }: Shape<T>, params: readonly string[]): boolean {
  if (params.length !== names.length * 2) return false;
  for (let at = 0; at < names.length; at++) if (params[at * 2] !== names[at]) return false;
  if (plan === null) return true;
  for (const at of plan.empty) if (params[at] !== '') return false;
  for (const at of plan.filled) if (params[at] === '') return false;
  return true;
}
