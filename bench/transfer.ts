// Heavy transfers through a real nginx: every byte has to arrive, and the daemon's memory has to stay flat.
//
//   npm run bench:transfer [-- --mib 1024] [--only fastcgi,down] [--node-args=--cpu-prof]
//
// Exits 1 where a hash differs, back-pressure fails, or resident memory rises by 64 MiB or more.
import { parseArgs } from 'node:util';
import { PIECE } from './lib/pattern.ts';
import { table } from './lib/table.ts';
import { type Bridge, type Protocol, startBridge } from './transfer/bridge.ts';
import { down, type Outcome, slowApp, stalledReader, up } from './transfer/scenarios.ts';

const MIB = 1024 * 1024;
const ALLOWED_RISE = 64 * MIB;

interface Scenario {
  readonly name: string;
  /** Part of --mib that it moves. */
  readonly share: number;
  /** nginx buffers requests and responses. */
  readonly buffered: boolean;
  run(bridge: Bridge, pieces: number): Promise<Outcome>;
}

const SCENARIOS: readonly Scenario[] = [
  { name: 'up', share: 1, buffered: false, run: up },
  { name: 'up, nginx buffers', share: 1, buffered: true, run: up },
  { name: 'down', share: 1, buffered: false, run: (bridge, pieces) => down(bridge, pieces, false) },
  {
    name: 'down, nginx buffers',
    share: 1,
    buffered: true,
    run: (bridge, pieces) => down(bridge, pieces, true),
  },
  { name: 'down, client stops for 4 s', share: 1 / 4, buffered: false, run: stalledReader },
  { name: 'up, app reads slowly', share: 1 / 4, buffered: false, run: slowApp },
];
const PROTOCOLS: readonly Protocol[] = ['fastcgi', 'uwsgi'];

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    only: { type: 'string', default: '' },
    'node-args': { type: 'string', default: '' },
  },
});
const wanted = values.only.split(',').filter((word) => word !== '');
const nodeArgs = values['node-args'].split(' ').filter((word) => word !== '');
const rows: string[][] = [];
const faults: string[] = [];

for (const protocol of PROTOCOLS) {
  for (const scenario of SCENARIOS) {
    const name = `${protocol} ${scenario.name}`;
    if (!wanted.every((word) => name.includes(word))) continue;
    const pieces = Math.ceil((Number(values.mib) * scenario.share * MIB) / PIECE);
    const bridge = await startBridge(protocol, scenario.buffered, nodeArgs);
    try {
      const outcome = await scenario.run(bridge, pieces);
      rows.push(row(name, outcome));
      faults.push(...faultsOf(name, outcome));
    } finally {
      await bridge.stop();
    }
    process.stderr.write(`${name}: done\n`);
  }
}

const head = [
  'transfer',
  'MiB',
  'seconds',
  'MB/s',
  'CPU s',
  'RSS before',
  'RSS max',
  'rise',
  'checks',
  'note',
];
process.stdout.write(`${table(head, rows)}\n`);
for (const fault of faults) process.stdout.write(`FAILED ${fault}\n`);
process.exitCode = faults.length === 0 ? 0 : 1;

function row(name: string, { cost, bytes, faults: wrong, note }: Outcome): string[] {
  return [
    name,
    String(bytes / MIB),
    cost.seconds.toFixed(2),
    (bytes / 1e6 / cost.seconds).toFixed(0),
    cost.cpuSeconds.toFixed(2),
    mebibytes(cost.residentBefore),
    mebibytes(cost.residentMax),
    mebibytes(cost.residentMax - cost.residentBefore),
    wrong.length === 0 ? 'hold' : 'FAILED',
    note,
  ];
}

function faultsOf(name: string, { cost, faults: wrong }: Outcome): string[] {
  const list = wrong.map((fault) => `${name}: ${fault}`);
  const rise = cost.residentMax - cost.residentBefore;
  if (rise >= ALLOWED_RISE)
    list.push(`${name}: resident memory rose by ${mebibytes(rise)} MiB, wanted less than 64`);
  return list;
}

function mebibytes(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}
