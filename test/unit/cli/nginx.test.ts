// `viaduct nginx`: the text it prints. Whether nginx takes it: test/integration/nginx-verb.test.ts.
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { type NginxInput, renderNginx } from '../../../src/cli/nginx/render.ts';
import { PARAMS_PROTOCOLS, renderParamsFile } from '../../../src/cli/nginx/params.ts';
import { runNginx } from '../../../src/cli/nginx.ts';
import { FakeIo } from './scripted-peer.ts';

/** The folder of package.json, from dist/test/unit/cli. */
const ROOT = new URL('../../../../', import.meta.url);

const input: NginxInput = {
  listeners: [
    { address: { kind: 'unix', path: '/run/viaduct/f.sock' }, protocol: 'fastcgi' },
    { address: { kind: 'tcp', host: '0.0.0.0', port: 8081 }, protocol: 'uwsgi' },
    { address: { kind: 'tcp', host: '::', port: 9002 }, protocol: 'http' },
  ],
  timeouts: { request: 60_000, idle: 75_000 },
  limits: { bodySize: 16 * 1024 ** 2 },
  mounts: [
    {
      path: '/api',
      host: '*.example.com',
      timeouts: { request: 10_000 },
      limits: { bodySize: 16 * 1024 ** 2 },
    },
    { path: '/', host: 'example.com', timeouts: { request: 120_500 }, limits: { bodySize: 1000 } },
  ],
};

function only(
  protocol: 'fastcgi' | 'uwsgi' | 'scgi' | 'http' | 'auto',
  more: Partial<NginxInput> = {},
): string {
  const address = { kind: 'unix', path: '/s' } as const;
  return renderNginx({ ...input, listeners: [{ address, protocol }], ...more });
}

describe('renderNginx', () => {
  it('has an upstream and a server for each listener, none of them on a port of viaduct', () => {
    const text = renderNginx(input);
    expect(text.match(/^upstream .*$/gm)).to.deep.equal([
      'upstream viaduct_fastcgi {',
      'upstream viaduct_uwsgi {',
      'upstream viaduct_http {',
    ]);
    expect(text.match(/^ {4}server .*$/gm)).to.deep.equal([
      '    server unix:/run/viaduct/f.sock;',
      '    server 127.0.0.1:8081;',
      '    server [::1]:9002;',
    ]);
    expect(text.match(/^ {4}listen .*$/gm)).to.deep.equal([
      '    listen 80;',
      '    listen 8082;',
      '    listen 8083;',
    ]);
  });

  it('keeps connections for fastcgi and http, shorter than viaduct does', () => {
    for (const protocol of ['fastcgi', 'http', 'auto'] as const) {
      expect(only(protocol))
        .to.match(/keepalive 32;/)
        .and.to.match(/keepalive_timeout 60s;/);
    }
    expect(only('fastcgi', { timeouts: { request: 0, idle: 1000 } })).to.match(/keepalive_timeout 800ms;/);
    for (const protocol of ['uwsgi', 'scgi'] as const) expect(only(protocol)).not.to.match(/keepalive \d/);
  });

  it('offers to send nothing twice where connections are kept, and changes nothing by itself', () => {
    expect(only('fastcgi')).to.match(/^ +# fastcgi_next_upstream off;$/m);
    expect(only('http')).to.match(/^ +# proxy_next_upstream off;$/m);
    for (const protocol of ['uwsgi', 'scgi'] as const) expect(only(protocol)).not.to.match(/next_upstream/);
  });

  it('passes each protocol by its own module', () => {
    expect(only('fastcgi')).to.match(/fastcgi_pass viaduct_fastcgi;\n.*\n +fastcgi_keep_conn on;/);
    expect(only('auto')).to.match(/fastcgi_pass viaduct_auto;/);
    expect(only('uwsgi'))
      .to.match(/uwsgi_pass viaduct_uwsgi;/)
      .and.not.to.match(/fastcgi_/);
    expect(only('scgi'))
      .to.match(/scgi_pass viaduct_scgi;/)
      .and.not.to.match(/scgi_param +CONTENT_LENGTH/);
    expect(only('http'))
      .to.match(/proxy_pass http:\/\/viaduct_http;/)
      .and.to.match(/proxy_http_version 1.1;/)
      .and.to.match(/X-Forwarded-Proto +\$scheme;/)
      .and.to.match(/map \$http_upgrade \$viaduct_connection/);
  });

  it('writes all params out, the host with its port', () => {
    for (const protocol of PARAMS_PROTOCOLS) {
      expect(only(protocol))
        .to.match(new RegExp(`${protocol}_param +HTTP_HOST +\\$http_host;`))
        .and.to.match(new RegExp(`${protocol}_param +PATH_INFO +\\$document_uri;`))
        .and.not.to.match(/include/);
    }
  });

  it('fits the largest limit and timeout of all mounts', () => {
    const text = only('fastcgi');
    expect(text).to.match(/fastcgi_read_timeout 125500ms;/);
    expect(text).to.match(/client_max_body_size 16m;/);
    expect(text)
      .to.match(/fastcgi_buffer_size 16k;/)
      .and.to.match(/fastcgi_request_buffering on;/);
  });

  it('knows that 0 is no limit', () => {
    const mounts = [{ path: '/', host: null, timeouts: { request: 0 }, limits: { bodySize: 0 } }];
    const text = only('uwsgi', { mounts });
    expect(text)
      .to.match(/uwsgi_read_timeout 1d;/)
      .and.to.match(/client_max_body_size 0;/);
  });

  it('names the hosts of the mounts, whole names first', () => {
    expect(only('fastcgi'))
      .to.match(/server_name example\.com \*\.example\.com;/)
      .and.not.to.match(/default_server/);
    const any = { path: '/x', host: null, timeouts: { request: 1 }, limits: { bodySize: 1 } };
    expect(only('fastcgi', { mounts: [...input.mounts, any] })).to.match(/listen 80 default_server;/);
    expect(only('fastcgi', { mounts: [any] }))
      .to.match(/# server_name example\.com;/)
      .and.to.match(/listen 80;/);
  });

  it('quotes a socket path that would end a word', () => {
    const address = { kind: 'unix', path: '/a b/"c".sock' } as const;
    const text = renderNginx({ ...input, listeners: [{ address, protocol: 'fastcgi' }] });
    expect(text).to.include(String.raw`server "unix:/a b/\"c\".sock";`);
  });

  it('says of tunnels what the protocol allows', () => {
    expect(only('fastcgi')).to.include('# No WebSockets here: nginx opens no tunnel over FastCGI.');
    for (const [protocol, module] of [
      ['uwsgi', 'uwsgi'],
      ['scgi', 'scgi'],
      ['http', 'proxy'],
    ] as const) {
      expect(only(protocol))
        .to.match(new RegExp(`# A WebSocket in which nothing moves .* raise ${module}_read_timeout\n`))
        .and.to.match(new RegExp(` # and ${module}_send_timeout in a location of its own\\.`))
        .and.not.to.include('No WebSockets');
    }
  });

  it('numbers the upstreams of listeners with one protocol', () => {
    const [first] = input.listeners;
    const listeners = first === undefined ? [] : [first, first];
    expect(renderNginx({ ...input, listeners })).to.match(/upstream viaduct_fastcgi_2 \{/);
  });
});

describe('deploy/*_params.conf', () => {
  for (const protocol of PARAMS_PROTOCOLS) {
    it(`${protocol}_params.conf is what \`viaduct nginx --params ${protocol}\` prints`, async () => {
      const io = new FakeIo();
      expect(await runNginx(['--params', protocol], io, () => input)).to.equal(0);
      expect(readFileSync(new URL(`deploy/${protocol}_params.conf`, ROOT), 'utf8')).to.equal(io.out);
      expect(io.out).to.equal(renderParamsFile(protocol));
    });
  }
});

async function run(...argv: string[]): Promise<{ code: number; io: FakeIo; files: (string | undefined)[] }> {
  const io = new FakeIo();
  const files: (string | undefined)[] = [];
  const code = await runNginx(argv, io, (file) => {
    files.push(file);
    return input;
  });
  return { code, io, files };
}

describe('viaduct nginx', () => {
  it('prints the whole configuration of the file -c names', async () => {
    const { code, io, files } = await run('-c', 'x.yaml');
    expect([code, io.err, files]).to.deep.equal([0, '', ['x.yaml']]);
    expect(io.out).to.equal(renderNginx(input));
  });

  for (const which of ['2', '0.0.0.0:8081']) {
    it(`prints one listener for --listener ${which}`, async () => {
      const { io } = await run('--listener', which, '--listen', '127.0.0.1:80');
      expect(io.out.match(/^upstream .*$/gm)).to.deep.equal(['upstream viaduct_uwsgi {']);
      expect(io.out).to.match(/listen 127\.0\.0\.1:80;/);
    });
  }

  const wrong: [string[], RegExp][] = [
    [['--listener', '4'], /--listener '4' failed.*wanted 1 \(unix:\/run\/viaduct\/f\.sock\), 2 \(/],
    [['--listener', 'x'], /there is no port/],
    [['--params', 'http'], /--params 'http' failed, wanted fastcgi, uwsgi, scgi/],
    [['--listen', '80; evil'], /--listen '80; evil' failed/],
    [['x'], /x/],
  ];
  for (const [argv, message] of wrong) {
    it(`refuses ${argv.join(' ')}`, async () => {
      const { code, io } = await run(...argv);
      expect(code).to.equal(64);
      expect(io.err).to.match(message);
      expect(io.out).to.equal('');
    });
  }

  it('lets errors of the configuration through', async () => {
    const failure = new Error('bad file');
    const caught = await runNginx([], new FakeIo(), () => {
      throw failure;
    }).catch((error: unknown) => error);
    expect(caught).to.equal(failure);
  });
});
