// The machine's shape: without it no figure of a benchmark means anything.
import { cpus, loadavg, release, totalmem } from 'node:os';
import { findNginx } from '../../test/helpers/nginx.ts';
import { firstLine } from './tools.ts';

/** @param node the one that backends run on */
export function machineLines(node: string): string[] {
  const processors = cpus();
  return [
    `${processors.length} x ${processors[0]?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    `Node ${firstLine(node, ['--version'])}, ${firstLine(findNginx(), ['-v'])}, ${firstLine('wrk', ['-v']).replace(/ Copyright.*/, '')}`,
    `load average before: ${(loadavg()[0] ?? 0).toFixed(2)}`,
  ];
}
