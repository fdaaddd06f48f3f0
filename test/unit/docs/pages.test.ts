// What the pages name is there: link targets, commands and their options, scripts, keys, codes and exit codes.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { EXIT } from '../../../src/cli/exit-codes.ts';
import { everyKey } from '../../../src/config/json-schema.ts';
import { GATEWAY_ERRORS } from '../../../src/gateway/errors.ts';
import { PROTOCOL_ERRORS } from '../../../src/protocol/errors.ts';
import { STUCK_CODE } from '../../../src/runtime/watchdog-state.ts';
import {
  anchorsOf,
  codeWordsOf,
  fencesOf,
  linksOf,
  type Page,
  readPage,
  tableRowsOf,
  userPages,
} from '../../helpers/markdown.ts';
import { projectRoot } from '../../helpers/project.ts';

const pages = userPages();
const PROGRAMS = ['npm', 'viaduct', 'curl', 'systemctl'];
/** `-c` or `--config`, at the beginning of a word. */
const OPTION = /(?<![\w-])--?[a-zA-Z][\w-]*/g;

/** `viaduct [VERB] --help`. */
function help(...verb: string[]): string {
  const program = join(projectRoot, 'dist/src/cli/main.js');
  return spawnSync(process.execPath, [program, ...verb, '--help'], { encoding: 'utf8' }).stdout;
}

const optionsIn = (text: string): readonly string[] => text.match(OPTION) ?? [];

function commandLines(page: Page): string[] {
  const blocks = fencesOf(page).filter(({ language }) => language === 'sh');
  return blocks.flatMap(({ text }) =>
    text.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
  );
}

const isKey = (word: string): boolean =>
  /^(listeners|mounts|limits|timeouts|admin|log)(\[\])?\.[a-z_]/.test(word) && !word.includes(' ');

const codesOf = (page: Page): string[] => page.text.match(/\bERR_[A-Z_]*[A-Z]\b/g) ?? [];

const problemsOf = (check: (page: Page) => string[]): string[] =>
  pages.flatMap((page) => check(page).map((problem) => `${page.path}: ${problem}`));

describe('the pages', () => {
  it('are there, and say something', () => {
    expect(pages.map(({ path }) => path)).to.include.members([
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'README.md',
      'SECURITY.md',
      'docs/gateway.md',
      'docs/nginx.md',
      'docs/operations.md',
      'docs/systemd.md',
      'examples/README.md',
    ]);
    expect(pages.filter(({ text }) => text.length < 500).map(({ path }) => path)).to.deep.equal([]);
  });

  it('link to what exists', () => {
    let checked = 0;
    const missing = problemsOf((page) =>
      linksOf(page).filter((target) => {
        if (/^https?:/.test(target)) return false;
        checked += 1;
        const [file = '', anchor] = target.split('#');
        const path = file === '' ? page.path : join(dirname(page.path), file);
        if (!existsSync(join(projectRoot, path))) return true;
        return anchor !== undefined && !anchorsOf(readPage(path)).includes(anchor);
      }),
    );
    expect(missing).to.deep.equal([]);
    expect(checked).to.be.greaterThan(20);
  });

  it('name programs, verbs, options and scripts that exist', () => {
    const verbs = [...help().matchAll(/^ {2}(\w+) /gm)].map(([, name = '']) => name);
    const optionsOf = new Map(verbs.map((verb) => [verb, optionsIn(help(verb))]));
    const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const own = ['ci', 'install'];
    const fault = (line: string): boolean => {
      const [program = '', verb = '', name = ''] = line.split(' ');
      if (program === 'npm') return !own.includes(verb) && !((verb === 'run' ? name : verb) in scripts);
      if (program !== 'viaduct') return !PROGRAMS.includes(program);
      const options = optionsIn(line);
      return !optionsOf.has(verb) || options.some((option) => !optionsOf.get(verb)?.includes(option));
    };
    const lines = pages.flatMap(commandLines);
    expect(verbs).to.have.members([
      'serve',
      'reload',
      'stop',
      'status',
      'check',
      'request',
      'nginx',
      'systemd',
      'schema',
      'init',
    ]);
    expect(problemsOf((page) => commandLines(page).filter(fault))).to.deep.equal([]);
    expect(lines.length).to.be.greaterThan(20);
    const inline = (page: Page): string[] =>
      codeWordsOf(page).filter((word) => /^viaduct [a-z]+/.test(word) && fault(word));
    expect(problemsOf(inline)).to.deep.equal([]);
  });

  it('name keys of the configuration that exist', () => {
    const keys = everyKey();
    const groups = new Set(
      keys.flatMap((key) => key.split('.').map((_, at, parts) => parts.slice(0, at).join('.'))),
    );
    const unknown = (page: Page): string[] =>
      codeWordsOf(page).filter((word) => isKey(word) && !keys.includes(word) && !groups.has(word));
    expect(problemsOf(unknown)).to.deep.equal([]);
    expect(pages.flatMap(codeWordsOf).filter(isKey).length).to.be.greaterThan(60);
  });

  it('name codes of errors that exist', () => {
    const codes = [...Object.keys(GATEWAY_ERRORS), ...Object.keys(PROTOCOL_ERRORS), STUCK_CODE, 'ERR_LINT'];
    expect(problemsOf((page) => codesOf(page).filter((code) => !codes.includes(code)))).to.deep.equal([]);
    expect(pages.flatMap(codesOf).length).to.be.greaterThan(10);
  });

  it('give each code of wsgi.input its status', () => {
    const rows = tableRowsOf(readPage('docs/gateway.md')).filter(
      ([code]) => code?.startsWith('`ERR_') === true,
    );
    expect(rows.length).to.equal(6);
    for (const [code = '', , status = ''] of rows) {
      const found = Object.entries(GATEWAY_ERRORS).find(([name]) => `\`${name}\`` === code)?.[1].status;
      if (code !== '`ERR_BODY_CLIENT_GONE`') expect(`${code} ${found}`).to.equal(`${code} ${status}`);
    }
  });

  for (const path of ['README.md', 'docs/operations.md']) {
    it(`give exit codes that viaduct has: ${path}`, () => {
      const codes = tableRowsOf(readPage(path)).flatMap(([code]) =>
        /^\d+$/.test(code ?? '') ? [Number(code)] : [],
      );
      expect(codes.length).to.be.greaterThan(6);
      expect(Object.values(EXIT)).to.include.members(codes);
    });
  }
});

describe('the decisions', () => {
  const decisions = pages.filter(({ path }) => path.startsWith('docs/decisions/'));

  it('are numbered, each with what, why, and what else was tried', () => {
    expect(decisions.length).to.be.greaterThan(6);
    for (const { path, text } of decisions) {
      const number = /\/(\d{4})-/.exec(path)?.[1];
      expect(text, path).to.match(new RegExp(`^# ${number}: `));
      expect(text, path)
        .to.include('**What.**')
        .and.include('**Why.**')
        .and.include('**What else was tried.**');
    }
  });
});

describe('the licence', () => {
  it('is the one package.json names', () => {
    expect(statSync(join(projectRoot, 'LICENSE')).size).to.be.greaterThan(1000);
    const text = readFileSync(join(projectRoot, 'LICENSE'), 'utf8');
    expect(text)
      .to.match(/^MIT License\n/)
      .and.include('The viaduct authors');
    expect(readFileSync(join(projectRoot, 'package.json'), 'utf8')).to.include('"license": "MIT"');
  });
});
