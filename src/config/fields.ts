// The kinds of value the file has, as zod schemas. An `error` text says what was wanted: it goes after "Expected".
import { z } from 'zod';
import { BadValue } from './problems.ts';
import { formatDuration, parseDuration, parsePercentage, parseSize } from './units.ts';

type Field<Output, Input> = z.ZodType<Output, Input>;

/** The `error` of a mapping. */
export const MAPPING = { error: 'a mapping' };

/** `source` read further by `parse`, whose BadValue becomes an issue. */
export function reading<Raw, Value>(
  source: z.ZodType<Raw>,
  parse: (raw: Raw) => Value,
): Field<Value, unknown> {
  return source.transform((raw, context) => {
    try {
      return parse(raw);
    } catch (error) {
      if (!(error instanceof BadValue)) throw error;
      context.addIssue({ code: 'custom', message: error.message, params: { hint: error.hint } });
      return z.NEVER;
    }
  });
}

/** A text that is not empty. `pattern` is for editors only; `parse` is what decides. */
export function text(expected: string, pattern?: string): z.ZodType<string> {
  const schema = z.string({ error: expected }).min(1, { error: expected });
  return pattern === undefined ? schema : schema.meta({ pattern });
}

export function wholeNumber(least: number, most: number = Number.MAX_SAFE_INTEGER): z.ZodType<number> {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  const error = `a whole number ${range}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

export const DURATION = 'a duration such as 500ms, 30s, 5m or 1h';
const SIZE = 'a size in bytes or such as 64K, 16M or 1G';

/**
 * -> milliseconds, at least `least`; but for 0, which says that there is none, at least `shortest`.
 * @param longest milliseconds; what a timer can wait unless told
 */
export function duration(least: 0 | 1, shortest: number = least, longest?: number): Field<number, unknown> {
  const written = z
    .string({ error: DURATION })
    .meta({ pattern: least === 0 ? '^\\d+(ms|s|m|h)$|^0$' : '^\\d+(ms|s|m|h)$' });
  const raw: z.ZodType<string | number> =
    least === 0 ? z.union([written, z.literal(0)], { error: DURATION }) : written;
  return reading(raw, (value) => {
    const found = atLeast(parseDuration(value, longest), least, 'a duration above 0', value);
    return found === 0
      ? found
      : atLeast(found, shortest, `a duration of at least ${formatDuration(shortest)}`, value);
  });
}

/** -> bytes, at least `least`. */
export function size(least: 0 | 1): Field<number, unknown> {
  const written = z.string({ error: SIZE }).meta({ pattern: '^\\d+[KMGkmg]?$' });
  const raw = z.union([written, z.int().min(least, { error: SIZE })], { error: SIZE });
  return reading(raw, (value) => atLeast(parseSize(value), least, 'a size above 0', value));
}

/** "20%" -> 0.2 */
export const percentage: Field<number, unknown> = reading(
  z.string({ error: 'a percentage such as 20%' }).meta({ pattern: '^\\d{1,3}%$' }),
  parsePercentage,
);

function atLeast(amount: number, least: number, expected: string, found: string | number): number {
  if (amount < least) throw new BadValue(`Expected ${expected}, found ${JSON.stringify(found)}`);
  return amount;
}

/** "0660" -> 0o660. A YAML number is refused: YAML 1.2 reads 0660 as six hundred and sixty. */
export const mode: Field<number, unknown> = reading(
  z
    .string({ error: 'octal digits in quotes such as "0660" (without quotes YAML reads a decimal number)' })
    .meta({ pattern: '^[0-7]{3,4}$' }),
  (value) => {
    if (!/^[0-7]{3,4}$/.test(value) || parseInt(value, 8) > 0o777) {
      throw new BadValue(`Expected a mode from "0000" to "0777", found ${JSON.stringify(value)}`);
    }
    return parseInt(value, 8);
  },
);

const ACCOUNT = 'a name or a number';

/** The name of a user or group, or its number; null when not given. */
export const account: Field<string | null, unknown> = reading(
  z.union([z.string().min(1, { error: ACCOUNT }), z.int().min(0, { error: ACCOUNT }), z.null()], {
    error: ACCOUNT,
  }),
  (value) => (value === null ? null : String(value)),
).prefault(null);

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;
export type CamelKeys<T> = {
  [K in keyof T as K extends string ? CamelCase<K> : K]: Exclude<T[K], undefined>;
};

/** `{body_size: 0}` -> `{bodySize: 0}`, this level only. A key whose value is undefined is left away. */
export function camelKeys<T extends object>(snake: T): CamelKeys<T> {
  const entries = Object.entries(snake)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()), value]);
  return Object.fromEntries(entries) as CamelKeys<T>;
}
