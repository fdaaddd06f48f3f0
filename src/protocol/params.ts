// What every protocol asks of a params list (name, value, name, value ...). Knows no wire format.
import { ProtocolError } from './errors.ts';

/** Where the value of that name stands, -1 without one. The last one counts: nginx sends an overridden param twice. */
export function findParam(params: readonly string[], name: string): number {
  for (let i = params.length - 2; i >= 0; i -= 2) {
    const found = params[i] as string;
    // Most differ in length, and comparing strings is a call.
    if (found.length === name.length && found === name) return i + 1;
  }
  return -1;
}

/**
 * Why a pair may not reach an environ, or null. FastCGI 1.0 6.1 forbids NUL in both; a "=" in a name would turn into
 * another variable where an environ becomes a process environment.
 */
export function checkParam(name: string, value: string): ProtocolError | null {
  if (name !== '' && !name.includes('=') && !name.includes('\0') && !value.includes('\0')) return null;
  const what =
    name === ''
      ? 'the name is empty'
      : value.includes('\0')
        ? 'the value has a NUL'
        : 'the name has a NUL or "="';
  return new ProtocolError(
    'ERR_PARAM_NAME',
    `Dropped the param ${JSON.stringify(name.slice(0, 60))}: ${what}`,
  );
}
