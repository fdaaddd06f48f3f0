// A counter with one label whose values are a fixed list, a slot each. May not know what is counted.
import type { Labels, Sample } from './family.ts';

export class LabelCounter<Value extends string> {
  /** In the order of the values. */
  readonly slots: Float64Array;
  readonly #label: string;
  readonly #values: readonly Value[];

  constructor(label: string, values: readonly Value[]) {
    this.#label = label;
    this.#values = values;
    this.slots = new Float64Array(values.length);
  }

  inc(value: Value, by = 1): void {
    const at = this.#values.indexOf(value);
    // Where the types were not heeded: a store at -1 would make it a property
    if (at >= 0) this.slots[at] = (this.slots[at] ?? 0) + by;
  }

  /** One sample a value, those at 0 included. */
  samples(labels: Labels): Sample[] {
    return this.#values.map((value, at) => ({
      labels: { ...labels, [this.#label]: value },
      value: this.slots[at] ?? 0,
    }));
  }
}
