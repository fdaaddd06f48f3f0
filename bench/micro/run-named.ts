// The end of a script of this folder that a scenario runs as well: all benches for people, or one for a program.
import { run } from 'mitata';

/** Runs all; with a name on the command line only that one, and prints its median in nanoseconds and nothing else. */
export async function runNamed(): Promise<void> {
  const name = process.argv[2];
  if (name === undefined) {
    await run();
    return;
  }
  const { benchmarks } = await run({ format: 'quiet', filter: new RegExp(`^${name}$`) });
  process.stdout.write(`${benchmarks[0]?.runs[0]?.stats?.p50}\n`);
}
