// The last so many numbers of a series, in memory that does not grow.

export class Ring {
  readonly #values: Float64Array;
  #pushed = 0;

  /** @param size how many are kept */
  constructor(size: number) {
    this.#values = new Float64Array(size);
  }

  /** Takes a number in for the oldest one; NaN: there was none. Four digits of it are kept. */
  push(value: number): void {
    this.#values[this.#pushed % this.#values.length] = Number(value.toPrecision(4));
    this.#pushed += 1;
  }

  /** The oldest first, never more than its size; null where there was none. */
  list(): (number | null)[] {
    const { length } = this.#values;
    const first = Math.max(0, this.#pushed - length);
    return Array.from({ length: this.#pushed - first }, (_, at) => {
      const value = this.#values[(first + at) % length] ?? Number.NaN;
      return Number.isNaN(value) ? null : value;
    });
  }
}
