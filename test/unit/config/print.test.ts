// The effective configuration as YAML, and what it hides.
import { expect } from 'chai';
import { parse } from 'yaml';
import { everyKey } from '../../../src/config/json-schema.ts';
import { formatConfig, MASK, maskSecrets } from '../../../src/config/print.ts';
import { BASE, load, useFolder } from './fixture.ts';

describe('formatConfig', () => {
  const folder = useFolder();

  it('writes what loads to the same configuration', () => {
    const { config } = load(
      folder,
      `listeners:
  - {address: unix:a.sock, protocol: auto, mode: "0007", owner: 5}
  - {address: "[::1]:0", protocol: http, allowed_clients: [10.0.0.0/8]}
mounts:
  - {path: /é, host: "*.x.y", app: "./a b.js:x", env: {A: "0660", B: "$\${HOME}", C: "null", D: ""}, limits: {body_size: 3}}
  - {path: /, app: viaduct:hello, middleware: [{use: "./m.js:x", options: {a: ["$\${B}", null, 1.5]}}, viaduct:lint]}
timeouts: {request: 0, idle: 90s, boot: 1500ms}
workers: auto
recycle: {max_requests: 7, max_age: 90s, max_memory: 1G, jitter: 0%}
admin: false
log: {file: x.log, slow: 0, request_id_header: false, access: {sample: 7%, exclude: [/a/*]}}
`,
    );
    expect(config.mounts[0]?.env['B']).to.equal('${HOME}');
    expect(load(folder, formatConfig(config)).config).to.deep.equal(config);
    const plain = load(folder, BASE).config;
    expect(load(folder, formatConfig(plain)).config).to.deep.equal(plain);
  });

  it('uses the units of the file', () => {
    const shown = parse(formatConfig(load(folder, BASE).config)) as Record<string, Record<string, unknown>>;
    expect(shown['limits']?.['params_size']).to.equal('64K');
    expect(shown['timeouts']?.['idle']).to.equal('75s');
  });
});

/** `timeouts.stuck`, `listeners[].address`: every key in a value as it was read. */
function keysIn(value: unknown, prefix = ''): string[] {
  if (Array.isArray(value)) return [prefix, ...value.flatMap((item: unknown) => keysIn(item, `${prefix}[]`))];
  if (typeof value !== 'object' || value === null) return [prefix];
  return [
    prefix,
    ...Object.entries(value).flatMap(([name, inner]) =>
      keysIn(inner, prefix === '' ? name : `${prefix}.${name}`),
    ),
  ];
}

describe('what formatConfig prints', () => {
  const folder = useFolder();

  it('has every key there is', () => {
    const { config } = load(
      folder,
      `listeners: [{address: unix:a.sock, protocol: auto}, {address: "127.0.0.1:1", protocol: http}]
mounts:
  - {path: /, host: x.y, app: "m:app", interface: python, middleware: [{use: ./m.js, options: {}}]}
`,
    );
    const printed = keysIn(parse(formatConfig(config)));
    expect(everyKey().filter((key) => !printed.includes(key))).to.deep.equal([]);
    expect(everyKey().length).to.be.greaterThan(50);
  });

  it('has a plain 0 for every 0, and loads again', () => {
    const { config } = load(
      folder,
      `${BASE}timeouts: {stuck: 0, graceful: 0, request: 0}\nlog: {slow: 0}\nlimits: {body_size: 0}\n`,
    );
    const text = formatConfig(config);
    expect(text).to.not.match(/["']0["']/);
    expect(text).to.match(/^ {2}stuck: 0$/m);
    expect(text).to.match(/^ {2}max_memory: 0$/m);
    expect(load(folder, text).config).to.deep.equal(config);
  });
});

describe('maskSecrets', () => {
  const folder = useFolder();

  it('hides what its name, its form or its source gives away, and nothing else', () => {
    const loaded = load(
      folder,
      `${BASE}    env:
      API_KEY: hush-1
      auth_token: hush-2
      CLIENT_SECRET: hush-3
      DB_PASSWORD: hush-4
      SMTP_PASS: hush-5
      AWS_CREDENTIALS: hush-6
      SENTRY_DSN: hush-7
      DATABASE_URL: postgres://u:hush-8@db/x
      HOME_URL: https://example.com/a@b
      OUTSIDE: a\${SECRET_THING}b
      FALLBACK: \${NONE:-plain}
      MODE: production
    middleware:
      - use: ./m.js
        options: {password: hush-9, nested: {tokens: [hush-10]}, realm: staff, seed: "\${SECRET_THING}"}
`,
      { SECRET_THING: 'hush-11' },
    );
    const [mount] = maskSecrets(loaded).mounts;
    expect(mount?.env).to.deep.equal({
      API_KEY: MASK,
      auth_token: MASK,
      CLIENT_SECRET: MASK,
      DB_PASSWORD: MASK,
      SMTP_PASS: MASK,
      AWS_CREDENTIALS: MASK,
      SENTRY_DSN: MASK,
      DATABASE_URL: MASK,
      HOME_URL: 'https://example.com/a@b',
      OUTSIDE: MASK,
      FALLBACK: MASK,
      MODE: 'production',
    });
    expect(mount?.middleware[0]?.options).to.deep.equal({
      password: MASK,
      nested: { tokens: [MASK] },
      realm: 'staff',
      seed: MASK,
    });
    expect(formatConfig(maskSecrets(loaded))).to.not.match(/hush-\d/);
    expect(loaded.config.mounts[0]?.env['API_KEY']).to.equal('hush-1');
  });
});
