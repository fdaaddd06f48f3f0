// The text of a response head, as each protocol begins it.
import type { HeaderList } from '../gateway/contract.ts';

/** `first` is the first line without its line end. */
export function headText(first: string, headers: HeaderList): string {
  let text = `${first}\r\n`;
  for (const [name, value] of headers) text += `${name}: ${value}\r\n`;
  return `${text}\r\n`;
}
