// The benchmark of the request path: one nginx, one backend at a time, one scenario after the other. How to read it:
// bench/README.md.
//
//   npm run bench [-- --scenario hello,json] [--only 'viaduct fastcgi,uWSGI'] [--rounds 3] [--seconds 3] [--warmup 2]
//                 [--connections 32] [--no-pin] [--node PATH] [--node-args=--cpu-prof] [--out bench/results.md]
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../test/helpers/project.ts';
import { machineLines } from './lib/machine.ts';
import { BACKEND_CPU, canPin, FRONT_CPU, pinToFront } from './lib/pinning.ts';
import { section } from './lib/report.ts';
import { chooseScenarios, type Run, runScenario } from './lib/run-scenario.ts';
import type { Load } from './lib/scenario.ts';
import { findProgram } from './lib/tools.ts';
import { SCENARIOS } from './scenarios/all.ts';
import { targetTable } from './targets.ts';

const { values } = parseArgs({
  options: {
    scenario: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    rounds: { type: 'string' },
    seconds: { type: 'string', default: '3' },
    warmup: { type: 'string', default: '2' },
    connections: { type: 'string', default: '32' },
    'no-pin': { type: 'boolean', default: false },
    node: { type: 'string', default: process.execPath },
    'node-args': { type: 'string', default: '' },
    out: { type: 'string' },
  },
});
const load: Load = {
  connections: Number(values.connections),
  seconds: Number(values.seconds),
  warmup: Number(values.warmup),
  pinned: !values['no-pin'] && canPin(),
  node: values.node,
  nodeArgs: wordsOf(values['node-args'], ' '),
};
const chosen = chooseScenarios(SCENARIOS, wordsOf(values.scenario, ','), wordsOf(values.only, ','));

spawnSync('bash', [join(projectRoot, 'bench/setup.sh')], { stdio: ['ignore', 'inherit', 'inherit'] });
if (findProgram(/^wrk$/) === undefined) throw new Error('Cannot run the benchmark without wrk');
const machine = machineLines(load.node);
if (load.pinned) pinToFront();

const runs: Run[] = [];
for (const scenario of chosen) {
  const rounds = values.rounds === undefined ? scenario.rounds : Number(values.rounds);
  runs.push(await runScenario(scenario, rounds, load));
}

const report = render();
process.stdout.write(report);
// A run of a part, for a look, does not replace the whole one.
const isWhole = values.scenario === '' && values.only === '';
const out = values.out ?? (isWhole ? join(projectRoot, 'bench/results.md') : null);
if (out !== null) await writeFile(out, report);
process.exitCode = runs.some(({ failures }) => failures.length > 0) ? 1 : 0;

function wordsOf(text: string, separator: string): string[] {
  return text.split(separator).filter((word) => word !== '');
}

function render(): string {
  const placing = load.pinned
    ? `the backend alone on processor ${BACKEND_CPU}; nginx (one worker) and the client together on processor ${FRONT_CPU}`
    : 'nothing pinned: backend, nginx (one worker) and client share all processors';
  const troubles = new Set(
    runs.flatMap(({ skipped, failures }) => [
      ...skipped.map((line) => `skipped: ${line}`),
      ...failures.map((line) => `FAILED: ${line}`),
    ]),
  );
  const notes = [
    ...machine,
    placing,
    `${load.connections} connections unless a scenario says otherwise`,
    `measurements of ${load.seconds} s after ${load.warmup} s of warm-up; nginx and backend are new for each`,
    "viaduct's metrics on, access log off unless a case says otherwise",
    ...troubles,
  ];
  const targets = targetTable(new Map(runs.map(({ scenario, series }) => [scenario.name, series])));
  const sections = [
    ...(targets === null ? [] : [`## Targets\n\n${targets}\n`]),
    ...runs.map(({ scenario, series, rounds }) => section(scenario, series, rounds)),
  ];
  return `# Benchmark of the request path

How to read it: README.md beside this file.

- ${notes.join('\n- ')}

${sections.join('\n')}`;
}
