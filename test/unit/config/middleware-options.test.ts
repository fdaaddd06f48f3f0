// The options of the built-in middleware in the file: what is wrong with them, what becomes of them, what editors know.
import { expect } from 'chai';
import { join } from 'node:path';
import { configJsonSchema } from '../../../src/config/json-schema.ts';
import { OPTION_SCHEMAS } from '../../../src/config/middleware-options.ts';
import { formatConfig, MASK, maskSecrets } from '../../../src/config/print.ts';
import { BUILTIN_MIDDLEWARE } from '../../../src/config/reference.ts';
import { BASE, type Case, describeMistakes, load, useFolder } from './fixture.ts';

/** Line 7 of the file; options begin in column 18. */
const use = (name: string, options: string): string =>
  `${BASE}    middleware: [{use: "viaduct:${name}", options: ${options}}]\n`;
const AT = 'mounts[0].middleware[0].options';
const at = (name: string, offset: number): number =>
  `    middleware: [{use: "viaduct:${name}", options: `.length + 1 + offset;
const TRUSTED = 'an IP address, a range such as 10.0.0.0/8, loopback, linklocal, private or unix';
const FORMS = '{SHA256}BASE64, {SHA}BASE64 or $scrypt$ln=LN,r=R,p=P$SALT$HASH';

/** `options` with a "^" before the place of the mistake. */
const mistake = (name: string, options: string, rest: string): Case => {
  const offset = options.indexOf('^');
  const plain = options.replace('^', '');
  return { what: `${name} ${plain}`, yaml: use(name, plain), lines: [`7:${at(name, offset)}: ${AT}${rest}`] };
};

const CASES: Case[] = [
  mistake('lint', '{^level: 5}', '.level: Unknown key; there are none here'),
  mistake('static', '{root: a, ^idnex: b}', '.idnex: Unknown key; did you mean "index"?'),
  mistake('static', '^{}', '.root: Expected the folder with the files, found nothing'),
  mistake('static', '{root: ^5}', '.root: Expected the folder with the files, found the number 5'),
  mistake('static', '{root: a, prefix: ^b}', '.prefix: Expected a path that begins with "/", found "b"'),
  mistake(
    'static',
    '{root: a, index: ^true}',
    '.index: Expected the name of a file, or false, found the boolean true',
  ),
  mistake('static', '{root: a, index: ^a/b}', '.index: Expected the name of a file, found "a/b"'),
  mistake(
    'static',
    '{root: a, max_age: ^60}',
    '.max_age: Expected a duration such as 500ms, 30s, 5m or 1h, found the number 60; write 60s or 60ms',
  ),
  mistake(
    'static',
    '{root: a, max_age: ^8761h}',
    '.max_age: Expected a duration of at most 8760h, found "8761h"',
  ),
  mistake('static', '{root: a, immutable: ^1}', '.immutable: Expected true or false, found the number 1'),
  mistake(
    'static',
    '{root: a, dotfiles: ^allowed}',
    '.dotfiles: Expected "ignore", "deny" or "allow", found "allowed"; did you mean "allow"?',
  ),
  mistake(
    'static',
    '{root: a, extensions: [^.html]}',
    '.extensions[0]: Expected an extension such as html, without a dot in front, found ".html"',
  ),
  mistake('forwarded', '^{}', '.trust: Expected a list of IP addresses and ranges, found nothing'),
  mistake(
    'forwarded',
    '{trust: ^[]}',
    '.trust: Expected at least one IP address or range, found an empty list',
  ),
  mistake(
    'forwarded',
    '{trust: [^loopbak]}',
    `.trust[0]: Expected ${TRUSTED}, found "loopbak"; did you mean loopback?`,
  ),
  mistake(
    'forwarded',
    '{trust: [unix, ^10.0.0.0/33]}',
    `.trust[1]: Expected ${TRUSTED}, found "10.0.0.0/33"`,
  ),
  mistake(
    'forwarded',
    '{trust: [unix], hops: ^0}',
    '.hops: Expected a whole number from 1 to 100, found the number 0',
  ),
  mistake(
    'forwarded',
    '{trust: [unix], headers: [^x-real-ip]}',
    '.headers[0]: Expected "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix" or "forwarded", found "x-real-ip"',
  ),
  mistake(
    'forwarded',
    '{trust: [unix], headers: ^[forwarded, x-forwarded-host]}',
    '.headers: Expected either forwarded or x-forwarded-host, found both; a client could send the one that the proxy does not set',
  ),
  mistake('request-id', '{header: ^"X Y"}', '.header: Expected the name of a header, found "X Y"'),
  mistake('request-id', '{^reponse: true}', '.reponse: Unknown key; did you mean "response"?'),
  mistake(
    'basic-auth',
    '{file: a, header: ^"X User"}',
    '.header: Expected the name of a header, found "X User"',
  ),
  mistake('basic-auth', '^{}', ': Expected either users or file, found neither'),
  mistake('basic-auth', '^{file: a, users: {b: c}}', ': Expected either users or file, found both'),
  mistake('basic-auth', '{file: a, realm: ^é}', '.realm: Expected printable ASCII text, found "é"'),
  mistake(
    'basic-auth',
    '{users: {^"a:b": c}}',
    '.users["a:b"]: Expected the name of a user, without ":" and control characters',
  ),
  mistake(
    'basic-auth',
    '{users: {a: ^""}}',
    '.users.a: Expected a password or its hash, found an empty text',
  ),
  mistake('basic-auth', '{users: {a: ^[secret]}}', '.users.a: Expected a password or its hash, found a list'),
  mistake(
    'basic-auth',
    '{users: {a: ^$apr1$secret}}',
    `.users.a: Expected a password, or its hash as ${FORMS}, found an apr1 hash (htpasswd's default); a password that only looks like one goes after {PLAIN}`,
  ),
  mistake(
    'basic-auth',
    '{users: {a: ^"{SHA}secret"}}',
    '.users.a: Expected 20 bytes in base64 after {SHA}, found 4 bytes',
  ),
  {
    what: 'a built-in that needs options and has none',
    yaml: `${BASE}    middleware: [viaduct:static, viaduct:lint]\n`,
    lines: ['7:18: mounts[0].middleware[0].options.root: Expected the folder with the files, found nothing'],
  },
  {
    what: 'options that are no mapping',
    yaml: use('static', '[a]'),
    lines: [`7:${at('static', 0)}: ${AT}: Expected a mapping, found a list`],
  },
  {
    what: 'several mistakes, beside others in the file',
    yaml: `${BASE}    middleware:\n      - {use: viaduct:static, options: {rot: a}}\n      - {use: viaduct:baisc-auth}\nfoo: 1\n`,
    lines: [
      '8:40: mounts[0].middleware[0].options.root: Expected the folder with the files, found nothing',
      '8:41: mounts[0].middleware[0].options.rot: Unknown key; did you mean "root"?',
      '9:15: mounts[0].middleware[1].use: Expected the built-in middleware viaduct:lint, viaduct:static, viaduct:forwarded, viaduct:request-id or viaduct:basic-auth, found "viaduct:baisc-auth"; did you mean viaduct:basic-auth?',
      '10:1: foo: Unknown key; known here: listeners, workers, run_dir, user, group, limits, timeouts, recycle, mounts, admin, log',
    ],
  },
];
describeMistakes('mistakes in the options of built-in middleware', CASES);

describe('options of built-in middleware', () => {
  const folder = useFolder();
  const ALL = `${BASE}    middleware:
      - viaduct:lint
      - {use: viaduct:static, options: {root: files, max_age: 90s, index: , prefix: /é}}
      - {use: viaduct:forwarded, options: {trust: [loopback, 10.0.0.0/8]}}
      - viaduct:request-id
      - {use: viaduct:basic-auth, options: {file: ./users}}
      - use: viaduct:basic-auth
        options:
          users: {al: 0123, bo: 1.10, cy: "\${PW}"}
      - use: viaduct:basic-auth
        options:
          users:
            di: \${PW}
      - {use: ./own.js, options: {users: {al: 0123, bo: 1.10}, root: files, max_age: 5}}
`;
  const optionsOf = (env: NodeJS.ProcessEnv = { PW: '12345' }): unknown[] =>
    load(folder, ALL, env).config.mounts[0]?.middleware.map(({ options }) => options) ?? [];

  it('have their defaults, and absolute paths; those of other middleware are left alone', () => {
    const [lint, files, proxies, id, file, users, , own] = optionsOf();
    expect(lint).to.equal(undefined);
    expect(files).to.deep.equal({
      root: join(folder.path, 'files'),
      prefix: '/é',
      index: 'index.html',
      max_age: 90_000,
      immutable: false,
      dotfiles: 'ignore',
      fallthrough: true,
      extensions: [],
    });
    expect(proxies).to.have.property('headers').that.has.lengthOf(5).and.not.includes('forwarded');
    expect(id).to.deep.equal({ header: 'X-Request-ID', trust: true, response: true });
    expect(file).to.deep.equal({ realm: 'Restricted', file: join(folder.path, 'users') });
    expect(users).to.have.property('users');
    expect(own).to.deep.equal({ users: { al: 123, bo: 1.1 }, root: 'files', max_age: 5 });
  });

  it('have passwords as they are written, whatever YAML takes them for', () => {
    expect(optionsOf()[5]).to.have.deep.property('users', { al: '0123', bo: '1.10', cy: '12345' });
    expect(optionsOf()[6]).to.have.deep.property('users', { di: '12345' });
  });

  it('are printed as a file that loads to the same', () => {
    const { config } = load(folder, ALL, { PW: 'x' });
    expect(load(folder, formatConfig(config)).config).to.deep.equal(config);
    expect(formatConfig(config)).to.match(/max_age: 90s/);
  });

  it('show no password in print, whatever the name of its user', () => {
    const loaded = load(folder, ALL, { PW: 'sesame' });
    const shown = maskSecrets(loaded).mounts[0]?.middleware[5]?.options;
    expect(shown).to.have.deep.property('users', { al: MASK, bo: MASK, cy: MASK });
    expect(formatConfig(maskSecrets(loaded))).to.not.match(/sesame|0123|1\.10/);
    expect(loaded.config.mounts[0]?.middleware[5]?.options).to.have.nested.property('users.al', '0123');
  });
});

describe('the JSON Schema', () => {
  const rules = JSON.stringify(configJsonSchema());

  for (const name of BUILTIN_MIDDLEWARE) {
    it(`knows the options of ${name}`, () => {
      expect(rules).to.include(`{"if":{"properties":{"use":{"const":"${name}"}},"required":["use"]}`);
      const silent = Object.entries(OPTION_SCHEMAS[name].shape).filter(
        ([, field]) => (field as { description?: string }).description === undefined,
      );
      expect(silent.map(([key]) => key)).to.deep.equal([]);
    });
  }

  it('asks for options where some are required', () => {
    const asking = rules.match(
      /"const":"viaduct:[a-z-]+"\}\},"required":\["use"\]\},"then":\{"properties":\{"options":/g,
    );
    expect(asking).to.have.lengthOf(BUILTIN_MIDDLEWARE.length);
    expect(rules.match(/\},"required":\["options"\]\}/g)).to.have.lengthOf(2);
  });
});
