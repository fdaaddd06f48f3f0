// docs/middleware.md says of the built-in middleware what is so: options and defaults, files that load, a hash that fits.
import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { OPTION_SCHEMAS } from '../../../src/config/middleware-options.ts';
import { parsePassword } from '../../../src/config/password.ts';
import { BUILTIN_MIDDLEWARE } from '../../../src/config/reference.ts';
import { PasswordTable } from '../../../src/apps/middleware/verify-password.ts';
import { BASE, load, useFolder } from '../config/fixture.ts';
import { fencesOf, filesOf, readPage } from '../../helpers/markdown.ts';

const page = readPage('docs/middleware.md');
/** Some options that must be there. */
const REQUIRED: Readonly<Record<string, object>> = {
  'viaduct:static': { root: 'x' },
  'viaduct:forwarded': { trust: ['unix'] },
  'viaduct:basic-auth': { file: 'x' },
};

const sectionOf = (name: string): string => page.text.split(`\n## ${name}\n`)[1]?.split('\n## ')[0] ?? '';

describe('docs/middleware.md, of built-in middleware', () => {
  const folder = useFolder();

  for (const name of BUILTIN_MIDDLEWARE) {
    it(`has a section for ${name}, and a row for each option with its default`, () => {
      const section = sectionOf(name);
      expect(section).to.not.equal('');
      const rows = [...section.matchAll(/^\| `([a-z_]+)` \| [^|]+ \| ([^|]+) \|/gm)];
      const schema = OPTION_SCHEMAS[name];
      expect(rows.map(([, key]) => key)).to.deep.equal(Object.keys(schema.shape));
      const defaults: Record<string, unknown> = schema.parse(REQUIRED[name] ?? {});
      for (const [, key = '', written = ''] of rows) {
        const plain = /^`(.*)` *$/.exec(written)?.[1];
        if (plain === undefined) continue;
        const value = defaults[key];
        expect(plain, key).to.equal(typeof value === 'string' ? value : JSON.stringify(value));
      }
      expect(page.text).to.match(new RegExp(`^\\| \\[\`${name}\`\\]\\(#`, 'm'));
    });
  }

  it('has examples that load', () => {
    const blocks = fencesOf(page).filter(({ language }) => language === 'yaml');
    expect(blocks).to.have.length.above(5);
    for (const { text } of blocks) {
      const isMount = text.startsWith('middleware:');
      const file = isMount ? BASE + text.replaceAll(/^/gm, '    ') : BASE.replace(/mounts:[^]*/, text);
      expect(load(folder, file).config.mounts[0]?.middleware, text).to.have.length.above(0);
    }
  });

  it('shows how to make a hash that fits', async () => {
    const source = filesOf(page)['hash.mjs'] ?? '';
    const file = folder.write('hash.mjs', source);
    const hash = execFileSync(process.execPath, [file], { input: 'sesame\n', encoding: 'utf8' }).trim();
    const table = new PasswordTable(new Map([['a', parsePassword(hash, false)]]));
    expect(await table.check('a', Buffer.from('sesame'))).to.equal(true);
    expect(await table.check('a', Buffer.from('other'))).to.equal(false);
  });
});
