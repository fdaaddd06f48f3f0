// Prints where a CPU profile's time went: by room, and the functions with the most time of their own.
//
//   npm run bench -- --only 'viaduct fastcgi keep' --rounds 1 '--node-args=--cpu-prof --cpu-prof-dir=/tmp/profiles'
//   node dist/bench/profile.js FILE.cpuprofile [COUNT]
import { readFileSync } from 'node:fs';
import { table } from './lib/table.ts';

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const [file = '', count = '25'] = process.argv.slice(2);
const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8')) as Profile;

const names = new Map<number, string>();
const rooms = new Map<number, string>();
for (const { id, callFrame } of nodes) {
  const { functionName, url, lineNumber } = callFrame;
  const path = url.replace(/^.*\/(?=(?:dist|node_modules)\/)/, '');
  names.set(id, `${functionName || '(anonymous)'}${path === '' ? '' : ` ${path}:${lineNumber + 1}`}`);
  rooms.set(id, roomOf(path, functionName));
}

print('where', sumBy(rooms), 20);
process.stdout.write('\n');
print('function', sumBy(names), Number(count));

/** dist/src/protocol/x.js is in src/protocol; what has no file is native, and then the function says most. */
function roomOf(path: string, functionName: string): string {
  if (path.startsWith('node:')) return 'node';
  if (path !== '')
    return path
      .split('/')
      .slice(path.startsWith('dist/') ? 1 : 0, 3)
      .join('/');
  return functionName.startsWith('RegExp') ? 'regular expressions' : `native ${functionName}`;
}

function sumBy(labels: ReadonlyMap<number, string>): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [at, id] of samples.entries()) {
    const label = labels.get(id) ?? '?';
    sums.set(label, (sums.get(label) ?? 0) + (timeDeltas[at] ?? 0));
  }
  return sums;
}

function print(title: string, sums: ReadonlyMap<string, number>, most: number): void {
  // Waiting is not work.
  const busy = [...sums].filter(([label]) => !label.endsWith('(idle)'));
  const total = busy.reduce((sum, [, time]) => sum + time, 0);
  const top = busy.toSorted(([, a], [, b]) => b - a).slice(0, most);
  const rows = top.map(([label, time]) => [
    label,
    ((100 * time) / total).toFixed(1),
    (time / 1000).toFixed(0),
  ]);
  process.stdout.write(`${table([title, '% of busy time', 'ms'], rows)}\n`);
}
