// A line of the access log as text.
import type { AccessEntry } from '../../src/observe/access-log.ts';
import { LineBlock } from '../../src/observe/line-block.ts';

export function lineOf(put: (block: LineBlock, entry: AccessEntry) => void, entry: AccessEntry): string {
  const block = new LineBlock(1);
  put(block, entry);
  block.endLine();
  return block.take().bytes.toString('latin1');
}
