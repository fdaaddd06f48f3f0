// The loader: what a good file becomes, what the environment does to it, and files that are none.
import { expect } from 'chai';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { findConfigFile, loadConfig } from '../../../src/config/load.ts';
import { formatConfig } from '../../../src/config/print.ts';
import { ConfigError } from '../../../src/config/problems.ts';
import { BASE, linesOf, load, mistakes, useFolder } from './fixture.ts';

const FULL = `
listeners:
  - {address: unix:run/v.sock, protocol: fastcgi, mode: "0600", owner: www-data, group: 33, backlog: 5}
  - {address: "[::1]:9000", protocol: auto, allowed_clients: ["::1", 10.0.0.0/8]}
workers: auto
run_dir: /run/v
user: www-data
group: www-data
limits: {params_size: 32K, params_count: 10, body_size: 1M, response_headers_size: 8K, connections: 7, requests: 8, queue: 0}
timeouts: {params: 1s, body: 2s, send: 3s, request: 0, queue: 5s, idle: 65s, stuck: 0, boot: 7s, graceful: 0}
recycle: {max_requests: 5, max_age: 1h, max_memory: 200M, jitter: 5%}
mounts:
  - path: /api
    host: "*.Example.com"
    app: ./apps/api.js:main
    interface: wsgi
    env: {A: "1", B: 0660, C: 1.10, D: true, E: ""}
    middleware: [viaduct:lint, {use: ./m.js, options: {deep: [1, {x: null}]}}, ./n.mjs:wrap]
    timeouts: {request: 10s}
    limits: {body_size: 0, queue: 3}
    access_log: false
  - {path: /, app: viaduct:environ, name: root}
admin: {address: unix:run/admin.sock}
log:
  {level: debug, file: log/v.log, request_id_header: false, slow: 500ms,
  access: {enabled: false, file: log/a.log, format: combined, sample: 25%, exclude: [/healthz, "*.map"]}}
`;

const oneListener = (address: string, key: string): string =>
  `listeners:\n  - address: ${address}\n    protocol: fastcgi\n    ${key}\nmounts: [{path: /, app: viaduct:hello}]\n`;

describe('loadConfig', () => {
  const folder = useFolder();

  it('fills in every default', () => {
    const { config, warnings } = load(folder, BASE);
    expect(warnings).to.deep.equal([]);
    const shared = { bodySize: 0, responseHeadersSize: 65_536, requests: 1024, queue: 256 };
    const waits = { body: 60_000, send: 60_000, request: 60_000, queue: 5000, boot: 60_000 };
    expect(config).to.deep.equal({
      listeners: [
        {
          address: { kind: 'unix', path: join(folder.path, 'run/v.sock') },
          protocol: 'fastcgi',
          mode: 0o660,
          owner: null,
          group: null,
          backlog: 4096,
          allowedClients: null,
        },
      ],
      workers: 1,
      runDir: join(folder.path, 'run'),
      user: null,
      group: null,
      limits: { paramsSize: 65_536, paramsCount: 1000, connections: 4096, ...shared },
      timeouts: { params: 10_000, idle: 75_000, stuck: 30_000, graceful: 30_000, ...waits },
      recycle: { maxRequests: 0, maxAge: 0, maxMemory: 0, jitter: 0.2 },
      mounts: [
        {
          path: '/',
          host: null,
          name: '/',
          app: { kind: 'builtin', builtin: 'viaduct:hello' },
          interface: 'wsgi',
          env: {},
          middleware: [],
          timeouts: waits,
          limits: shared,
          accessLog: true,
          python: null,
        },
      ],
      admin: { address: { kind: 'tcp', host: '127.0.0.1', port: 9180 } },
      log: {
        level: 'info',
        file: null,
        access: { enabled: true, file: null, format: 'json', sample: 1, exclude: [] },
        requestIdHeader: 'X-Request-ID',
        slow: 2000,
      },
      development: false,
    });
  });

  it('fills in and reads the keys of a Python mount', () => {
    const mount = 'mounts:\n  - {path: /, app: "my.site:app", interface: python';
    const head = `listeners: [{address: unix:v.sock, protocol: fastcgi}]\nrecycle: {max_age: 1h}\n`;
    const { config, warnings } = load(folder, `${head}${mount}, env: {HTTP_PROXY: x}}\n`);
    expect(warnings).to.deep.equal([]);
    expect(config.mounts[0]?.env).to.deep.equal({ HTTP_PROXY: 'x' });
    expect(config.mounts[0]?.python).to.deep.equal({
      executable: 'python3',
      path: [],
      chdir: folder.path,
      processes: 2,
      threads: 4,
      recycle: { maxRequests: 0, maxAge: 3_600_000, maxMemory: 0, jitter: 0.2 },
    });
    const keys =
      'executable: env/bin/python, path: [lib], chdir: site, processes: 3, threads: 5, max_requests: 7, max_age: 0, max_memory: 1G';
    const full = load(folder, `${head}${mount}, python: {${keys}}}\n`);
    expect(full.config.mounts[0]?.python).to.deep.equal({
      executable: join(folder.path, 'env/bin/python'),
      path: [join(folder.path, 'lib')],
      chdir: join(folder.path, 'site'),
      processes: 3,
      threads: 5,
      recycle: { maxRequests: 7, maxAge: 0, maxMemory: 1024 ** 3, jitter: 0.2 },
    });
    const again = load(folder, formatConfig(full.config));
    expect(again.config).to.deep.equal(full.config);
  });

  it('warns of keys for Python where there is none', () => {
    const { warnings } = load(folder, `${BASE}    python: {threads: 2}\n`);
    expect(warnings.map(({ line, message }) => `${line}: ${message}`)).to.deep.equal([
      '7: This key has no effect: it is only for interface: python',
    ]);
  });

  it('reads every key', () => {
    const { config } = load(folder, FULL);
    const at = (path: string): string => join(folder.path, path);
    expect(config.listeners).to.deep.equal([
      {
        address: { kind: 'unix', path: at('run/v.sock') },
        protocol: 'fastcgi',
        mode: 0o600,
        owner: 'www-data',
        group: '33',
        backlog: 5,
        allowedClients: null,
      },
      {
        address: { kind: 'tcp', host: '::1', port: 9000 },
        protocol: 'auto',
        mode: 0o660,
        owner: null,
        group: null,
        backlog: 4096,
        allowedClients: [
          { address: '::1', prefix: 128, family: 'ipv6' },
          { address: '10.0.0.0', prefix: 8, family: 'ipv4' },
        ],
      },
    ]);
    expect(config.workers).to.equal('auto');
    expect(config.recycle).to.deep.equal({
      maxRequests: 5,
      maxAge: 3_600_000,
      maxMemory: 200 * 1024 ** 2,
      jitter: 0.05,
    });
    expect(config.limits).to.deep.equal({
      paramsSize: 32_768,
      paramsCount: 10,
      bodySize: 1_048_576,
      responseHeadersSize: 8192,
      connections: 7,
      requests: 8,
      queue: 0,
    });
    expect(config.timeouts).to.deep.equal({
      params: 1000,
      body: 2000,
      send: 3000,
      request: 0,
      queue: 5000,
      idle: 65_000,
      stuck: 0,
      boot: 7000,
      graceful: 0,
    });
    expect(config.mounts).to.deep.equal([
      {
        path: '/api',
        host: '*.example.com',
        name: '*.example.com/api',
        app: { kind: 'file', file: at('apps/api.js'), exportName: 'main' },
        interface: 'wsgi',
        env: { A: '1', B: '0660', C: '1.10', D: 'true', E: '' },
        middleware: [
          { use: { kind: 'builtin', builtin: 'viaduct:lint' }, options: undefined },
          { use: { kind: 'file', file: at('m.js'), exportName: null }, options: { deep: [1, { x: null }] } },
          { use: { kind: 'file', file: at('n.mjs'), exportName: 'wrap' }, options: undefined },
        ],
        timeouts: { body: 2000, send: 3000, request: 10_000, queue: 5000, boot: 7000 },
        limits: { bodySize: 0, responseHeadersSize: 8192, requests: 8, queue: 3 },
        accessLog: false,
        python: null,
      },
      {
        path: '/',
        host: null,
        name: 'root',
        app: { kind: 'builtin', builtin: 'viaduct:environ' },
        interface: 'wsgi',
        env: {},
        middleware: [],
        timeouts: { body: 2000, send: 3000, request: 0, queue: 5000, boot: 7000 },
        limits: { bodySize: 1_048_576, responseHeadersSize: 8192, requests: 8, queue: 0 },
        accessLog: true,
        python: null,
      },
    ]);
    expect(config).to.deep.include({
      runDir: '/run/v',
      user: 'www-data',
      group: 'www-data',
      admin: { address: { kind: 'unix', path: at('run/admin.sock') } },
      log: {
        level: 'debug',
        file: at('log/v.log'),
        access: {
          enabled: false,
          file: at('log/a.log'),
          format: 'combined',
          sample: 0.25,
          exclude: ['/healthz', '*.map'],
        },
        requestIdHeader: null,
        slow: 500,
      },
    });
  });

  for (const [written, expected] of [
    ['admin: false\n', null],
    ['admin: {}\n', 9180],
    ['admin:\n', 9180],
    ['admin: null\n', 9180],
    ['', 9180],
  ] as const) {
    it(`admin is ${expected ?? 'off'} with ${JSON.stringify(written)}`, () => {
      const { admin } = load(folder, BASE + written).config;
      expect(admin?.address.kind === 'tcp' ? admin.address.port : null).to.equal(expected);
    });
  }

  it('takes a key without a value as not written', () => {
    const { config } = load(
      folder,
      `${BASE}limits:\n  # queue: 5\nlog:\n  slow:\n  file: null\ntimeouts: ~\n`,
    );
    expect(config).to.deep.equal(load(folder, BASE).config);
  });

  it('types what comes from the environment as if it stood in the file', () => {
    const yaml = `${BASE}    env: {PLAIN: "\${NUMBER}", EMPTY: "\${NONE:-}", LITERAL: "$\${NUMBER} $x"}
limits: {queue: "\${NUMBER}"}
`;
    expect(linesOf(folder, mistakes(folder, yaml, { NUMBER: '12' }))).to.deep.equal([
      '8:17: limits.queue: Expected a whole number of at least 0, found "12"',
    ]);
    const block = yaml.replace(
      'limits: {queue: "${NUMBER}"}',
      'limits:\n  queue: ${NUMBER}\nadmin: ${ADMIN:-false}\nuser: ${U:-}',
    );
    const { config } = load(folder, block, { NUMBER: '12' });
    expect(config.mounts[0]?.env).to.deep.equal({ PLAIN: '12', EMPTY: '', LITERAL: '${NUMBER} $x' });
    expect([config.limits.queue, config.admin, config.user]).to.deep.equal([12, null, null]);
  });

  it('takes digits from the environment as text where text belongs', () => {
    const yaml =
      BASE.replace('protocol', 'mode: ${MODE:-0600}\n    protocol') + '    env:\n      PIN: ${PIN}\n';
    const { config } = load(folder, yaml, { PIN: '0012' });
    expect(config.listeners[0]?.mode).to.equal(0o600);
    expect(config.mounts[0]?.env).to.deep.equal({ PIN: '0012' });
  });

  it('never lets the environment change the structure, nor reads what it inherits', () => {
    const { config } = load(folder, `${BASE}    env:\n      X: \${X}\n`, { X: 'a\nworkers: 7' });
    expect(config.mounts[0]?.env).to.deep.equal({ X: 'a\nworkers: 7' });
    expect(linesOf(folder, mistakes(folder, `${BASE}user: \${constructor}\n`))[0]).to.match(
      /^7:7: user: .* is not set/,
    );
  });

  it('follows anchors and aliases', () => {
    const { config } = load(
      folder,
      `${BASE}    limits: &few {queue: 3}\n  - {path: /b, app: viaduct:hello, limits: *few}\n`,
    );
    expect(config.mounts.map((mount) => mount.limits.queue)).to.deep.equal([3, 3]);
  });

  it('refuses a file of aliases that would grow without end, at once', () => {
    const lines = Array.from(
      { length: 30 },
      (_, i) => `a${i}: &a${i} [${i === 0 ? 'x' : `*a${i - 1}, *a${i - 1}`}]\n`,
    );
    const { message } = mistakes(folder, BASE + lines.join(''));
    expect(message).to.match(/Aliases repeat more than 10000 values/);
  });

  it('refuses nesting without end', function () {
    // mocha collects whole stacks, which takes its time where the stack is full
    this.timeout(20_000);
    expect(mistakes(folder, `a: ${'['.repeat(100)}${']'.repeat(100)}`).message).to.match(
      /Nested more than 64 levels/,
    );
    expect(linesOf(folder, mistakes(folder, `a: ${'['.repeat(5000)}`))).to.have.length(1);
  });

  it('pollutes no prototype', () => {
    mistakes(folder, `${BASE}__proto__: {polluted: 1}\nlimits: {__proto__: {polluted: 1}}\n`);
    expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
  });

  it('reads CRLF and a byte order mark, and counts columns right', () => {
    const yaml = `\uFEFF${BASE}usr: x\n`.replaceAll('\n', '\r\n');
    expect(linesOf(folder, mistakes(folder, yaml))).to.deep.equal([
      '7:1: usr: Unknown key; did you mean "user"?',
    ]);
  });

  it('warns of keys for the other kind of socket', () => {
    const unix = load(folder, oneListener('unix:a', 'allowed_clients: [10.0.0.0/8]'));
    expect(unix.config.listeners[0]?.allowedClients).to.equal(null);
    expect(unix.warnings.map(({ line, column, path }) => [line, column, path])).to.deep.equal([
      [4, 5, 'listeners[0].allowed_clients'],
    ]);
    const tcp = load(folder, oneListener('127.0.0.1:1', 'mode: "0600"'));
    expect(tcp.warnings.map(({ message }) => message)).to.deep.equal([
      'This key has no effect: it is only for Unix sockets',
    ]);
    const passed = load(folder, oneListener('systemd:web', 'group: www-data'));
    expect(passed.warnings.map(({ message }) => message)).to.deep.equal([
      'This key has no effect: it is only for sockets that viaduct makes',
    ]);
  });

  it('warns where nginx would lose requests', () => {
    const { warnings } = load(folder, `${BASE}timeouts:\n  idle: 60s\n`);
    expect(warnings.map(({ line, column, path }) => [line, column, path])).to.deep.equal([
      [8, 9, 'timeouts.idle'],
    ]);
    expect(load(folder, `${BASE}timeouts: {idle: 61s}\n`).warnings).to.deep.equal([]);
  });

  it('says later where a key stands, or what is around it', () => {
    const loaded = load(folder, BASE);
    expect(loaded.locate(['mounts', 0, 'app'])).to.deep.equal({ line: 6, column: 10 });
    expect(loaded.locate(['mounts', 0, 'env', 'X'])).to.deep.equal({ line: 5, column: 5 });
    expect(loaded.locate(['admin', 'address'])).to.deep.equal({ line: 1, column: 1 });
    expect(loaded.problemAt(['mounts', 0, 'app'], 'Gone')).to.deep.equal({
      file: loaded.file,
      line: 6,
      column: 10,
      path: 'mounts[0].app',
      message: 'Gone',
    });
  });

  it('says what is wrong with the file itself, in the same form', () => {
    const none = failure(join(folder.path, 'none.yaml'));
    expect(none.code).to.equal('ERR_CONFIG_READ');
    expect(none.message).to.equal(
      `${folder.path}/none.yaml:1:1: Cannot read the configuration: there is no such file`,
    );
    expect(failure(folder.path).message).to.match(/:1:1: .*expected a file, found a folder$/);
    expect(mistakes(folder, Uint8Array.of(0x61, 0xff)).message).to.match(/expected UTF-8 text$/);
    expect(mistakes(folder, 'a: [').code).to.equal('ERR_CONFIG_SYNTAX');
    expect(mistakes(folder, 'a: 1').code).to.equal('ERR_CONFIG_INVALID');
  });
});

function failure(file: string): ConfigError {
  try {
    loadConfig(file, {});
  } catch (error) {
    if (error instanceof ConfigError) return error;
  }
  throw new Error('Expected a ConfigError');
}

describe('findConfigFile', () => {
  const folder = useFolder();

  it('prefers the file beside you to the one in config', () => {
    mkdirSync(join(folder.path, 'config'));
    const inner = folder.write('config/viaduct.yaml', '');
    expect(findConfigFile(folder.path)).to.equal(inner);
    const outer = folder.write('viaduct.yaml', '');
    expect(findConfigFile(folder.path)).to.equal(outer);
  });
});
