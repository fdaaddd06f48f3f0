// The benchmark of the request path: one nginx, one backend at a time, wrk. How to read it: bench/README.md.
//
//   npm run bench [-- --rounds 5] [--seconds 5] [--warmup 2] [--connections 32] [--only 'viaduct fastcgi,uWSGI']
//                 [--no-pin] [--node-args=--cpu-prof] [--out bench/results.md]
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../test/helpers/project.ts';
import { BACKENDS, BASELINE } from './backends/all.ts';
import { uwsgi } from './backends/python.ts';
import type { Backend } from './lib/backend.ts';
import { machineLines } from './lib/machine.ts';
import { type Load, measure, type Sample } from './lib/measure.ts';
import { figureTable, ratioTable, type Series } from './lib/report.ts';
import { findProgram } from './lib/tools.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    warmup: { type: 'string', default: '2' },
    connections: { type: 'string', default: '32' },
    only: { type: 'string', default: '' },
    'no-pin': { type: 'boolean', default: false },
    'node-args': { type: 'string', default: '' },
    out: { type: 'string', default: join(projectRoot, 'bench/results.md') },
  },
});
const rounds = Number(values.rounds);
const load: Load = {
  connections: Number(values.connections),
  seconds: Number(values.seconds),
  warmup: Number(values.warmup),
  pinned: !values['no-pin'] && cpus().length > 1 && findProgram(/^taskset$/) !== undefined,
  nodeArgs: values['node-args'].split(' ').filter((word) => word !== ''),
};

spawnSync('bash', [join(projectRoot, 'bench/setup.sh')], { stdio: ['ignore', 'inherit', 'inherit'] });
if (findProgram(/^wrk$/) === undefined) throw new Error('Cannot run the benchmark without wrk');
const machine = machineLines();
const skipped: string[] = [];
const chosen = await prepare(choose(values.only));
const samples = new Map<string, Sample[]>(chosen.map(({ name }) => [name, []]));

for (let round = 1; round <= rounds; round += 1) {
  for (const backend of chosen) {
    const sample = await measure(backend, load);
    samples.get(backend.name)?.push(sample);
    process.stderr.write(
      `round ${round} of ${rounds}: ${backend.name} ${sample.cpu.toFixed(1)} us, ${sample.rate.toFixed(0)}/s\n`,
    );
  }
}

const report = render();
process.stdout.write(report);
// A run of a few backends, for a look, does not replace the whole one.
if (values.only === '') await writeFile(values.out, report);

/** The baseline is always among them, for the ratios. */
function choose(only: string): Backend[] {
  const words = only.split(',').filter((word) => word !== '');
  if (words.length === 0) return [...BACKENDS];
  return BACKENDS.filter(
    (backend) => backend === BASELINE || words.some((word) => backend.name.includes(word)),
  );
}

async function prepare(backends: readonly Backend[]): Promise<Backend[]> {
  const ready: Backend[] = [];
  for (const backend of backends) {
    const reason = await backend.prepare();
    if (reason === null) ready.push(backend);
    else skipped.push(`${backend.name}: ${reason}`);
  }
  return ready;
}

function render(): string {
  const series: Series[] = [...samples].map(([name, list]) => ({ name, samples: list }));
  const baseline: Series = { name: BASELINE.name, samples: samples.get(BASELINE.name) ?? [] };
  const others = series.filter(({ name }) => name === uwsgi.name);
  const placing = load.pinned
    ? 'the backend alone on processor 1, nginx (one worker) and wrk together on processor 0'
    : 'nothing pinned: backend, nginx (one worker) and wrk share all processors';
  return `# Benchmark of the request path

How to read it: README.md beside this file.

- ${machine.join('\n- ')}
- ${placing}
- hello, ${load.connections} connections, ${rounds} interleaved rounds of ${load.seconds} s after ${load.warmup} s of warm-up, medians
- viaduct's metrics on, access log off${skipped.map((line) => `\n- skipped: ${line}`).join('')}

## Ratios (smaller CPU is better)

${ratioTable(series, baseline, others)}

## Figures

${figureTable(series)}
`;
}
