// Questions about strings and methods that several checks ask. Knows no rule.

/** True where every character stands for one byte (PEP 3333, "Unicode Issues"). */
export function isLatin1(text: string): boolean {
  return !/[\u0100-\uffff]/.test(text);
}

/** Index of the first of U+0000 to U+001F and U+007F, or -1. Those from U+0080 on are bytes of UTF-8 text. */
export function findControl(text: string): number {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x7f) {
      return index;
    }
  }
  return -1;
}

/** The first of `names` that is not a method of `value`, or null when all are. */
export function missingMethod(value: unknown, names: readonly (string | symbol)[]): string | symbol | null {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return names.find((name) => !isObject || typeof Reflect.get(value, name) !== 'function') ?? null;
}
