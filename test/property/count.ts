// Runs fast-check properties and counts the inputs they see, over all files of this folder.
import * as fc from 'fast-check';

let inputs = 0;

after(() => {
  if (inputs > 0) console.log(`  property tests: ${inputs} generated inputs`);
});

/** Checks `predicate` (which throws to fail) on `runs` generated values. */
export function check<T>(arbitrary: fc.Arbitrary<T>, runs: number, predicate: (value: T) => void): void {
  const property = fc.property(arbitrary, (value) => {
    inputs++;
    predicate(value);
  });
  fc.assert(property, { numRuns: runs });
}
