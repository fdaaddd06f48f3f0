// Chooses scenarios and cases by name, and runs a scenario: every case once, then all again.
import type { SeriesByCase } from './report.ts';
import type { Case, Figures, Load, Scenario } from './scenario.ts';

/** A scenario that was run. */
export interface Run {
  readonly scenario: Scenario;
  readonly rounds: number;
  readonly series: SeriesByCase;
  /** Cases that cannot run here, and why. */
  readonly skipped: readonly string[];
  /** Measurements that came to nothing, and why. */
  readonly failures: readonly string[];
}

/**
 * @param names of scenarios, whole; none: all
 * @param only words of which a case's name has to have one, or be what such a case is compared with; none: all cases
 * @throws {Error} where a name is unknown
 */
export function chooseScenarios(
  scenarios: readonly Scenario[],
  names: readonly string[],
  only: readonly string[],
): Scenario[] {
  for (const name of names) {
    if (scenarios.some((scenario) => scenario.name === name)) continue;
    const known = scenarios.map((scenario) => scenario.name).join(', ');
    throw new Error(`Cannot run scenario "${name}": it is none of ${known}`);
  }
  return scenarios
    .filter(({ name }) => names.length === 0 || names.includes(name))
    .map((scenario) => ({ ...scenario, cases: chooseCases(scenario, only) }))
    .filter(({ cases }) => cases.length > 0);
}

function chooseCases({ cases, ratios }: Scenario, only: readonly string[]): readonly Case[] {
  if (only.length === 0) return cases;
  const named = cases.filter(({ name }) => only.some((word) => name.includes(word)));
  const compared = named.map(({ name }) => ratios[0]?.to(name));
  return cases.filter((each) => named.includes(each) || compared.includes(each.name));
}

export async function runScenario(scenario: Scenario, rounds: number, load: Load): Promise<Run> {
  const skipped: string[] = [];
  const failures: string[] = [];
  const samples = new Map<Case, Figures[]>();
  for (const each of scenario.cases) {
    const reason = await each.prepare();
    if (reason === null) samples.set(each, []);
    else skipped.push(`${each.name}: ${reason}`);
  }
  for (let round = 1; round <= rounds; round += 1) {
    for (const [each, list] of samples) {
      let outcome = 'done';
      try {
        list.push(await each.measure(load));
      } catch (error) {
        // An empty one keeps the rounds in step.
        list.push({});
        outcome = error instanceof Error ? error.message : String(error);
        failures.push(`${scenario.name}, ${each.name}: ${outcome}`);
      }
      process.stderr.write(`${scenario.name}, round ${round} of ${rounds}: ${each.name}: ${outcome}\n`);
    }
  }
  const series = new Map([...samples].map(([{ name }, list]) => [name, { name, samples: list }]));
  return { scenario, rounds, series, skipped, failures };
}
