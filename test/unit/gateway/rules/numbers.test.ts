// Holds the rule tests to their list: each of PEP 3333's 58 rules for servers has at least one test that bears its number.
import { expect } from 'chai';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../../helpers/project.ts';

const RULES = 58;
const FOLDER = join(projectRoot, 'test/unit/gateway/rules');

describe("PEP 3333's rules for servers", () => {
  it(`each have a test, 1 to ${RULES}`, () => {
    const numbers = new Set<number>();
    for (const file of readdirSync(FOLDER)) {
      const text = readFileSync(join(FOLDER, file), 'utf8');
      for (const [, number] of text.matchAll(/\bit\(\s*['"`]rule (\d+): /g)) numbers.add(Number(number));
    }
    const missing = Array.from({ length: RULES }, (_, index) => index + 1).filter((n) => !numbers.has(n));
    expect(missing).to.deep.equal([]);
    expect(Math.max(...numbers)).to.equal(RULES);
  });
});
