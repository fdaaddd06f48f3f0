// The text of a response head, as each protocol begins it.
import type { HeaderList } from '../gateway/contract.ts';

interface Line {
  value: string;
  text: string;
}

/** Names whose last line is remembered, and the longest value: what applications send can fill this, but not grow it. */
const MAX_LINES = 256;
const MAX_VALUE = 128;
const lines = new Map<string, Line>();

/** `first` is the first line without its line end. */
export function headText(first: string, headers: HeaderList): string {
  let text = `${first}\r\n`;
  for (const header of headers) text += lineOf(header[0], header[1]);
  return `${text}\r\n`;
}

/** Most headers say the same in each response: one string to add instead of four to join. */
function lineOf(name: string, value: string): string {
  const known = lines.get(name);
  if (known !== undefined && known.value === value) return known.text;
  const text = `${name}: ${value}\r\n`;
  if (value.length > MAX_VALUE) return text;
  if (known !== undefined) {
    known.value = value;
    known.text = text;
  } else if (lines.size < MAX_LINES) {
    lines.set(name, { value, text });
  }
  return text;
}
