// Turns listeners, timeouts and limits into the nginx configuration that fits them. Text only: reads and writes no file.
import { isIPv6 } from 'node:net';
import type { PassedAddress } from '../../config/address.ts';
import type { SocketAddress } from '../client/address.ts';
import { paramLines, type ParamsProtocol } from './params.ts';

export interface NginxListener {
  readonly address: SocketAddress | PassedAddress;
  readonly protocol: 'fastcgi' | 'uwsgi' | 'scgi' | 'http' | 'auto';
}

interface NginxTimeouts {
  /** Milliseconds; 0: no limit. */
  readonly request: number;
}

interface NginxLimits {
  /** Bytes; 0: no limit. */
  readonly bodySize: number;
}

/** The part of the configuration that nginx has to fit. */
export interface NginxInput {
  readonly listeners: readonly NginxListener[];
  readonly timeouts: NginxTimeouts & {
    /** Milliseconds. */
    readonly idle: number;
  };
  readonly limits: NginxLimits;
  readonly mounts: readonly {
    readonly path: string;
    /** null: any host. */
    readonly host: string | null;
    readonly timeouts: NginxTimeouts;
    readonly limits: NginxLimits;
  }[];
}

export interface NginxOptions {
  /** `listen` of each server block, in the order of the listeners; default: 80, then 8081 and up. */
  readonly listen?: readonly string[];
}

/** nginx waits a little longer than viaduct, so that viaduct's own 504 arrives. */
const READ_MARGIN_MS = 5000;
/** nginx's default for idle upstream connections (ngx_http_upstream_keepalive_module.c). */
const KEEPALIVE_MAX_MS = 60_000;

const MODULE = { fastcgi: 'fastcgi', uwsgi: 'uwsgi', scgi: 'scgi', http: 'proxy', auto: 'fastcgi' } as const;

/** A word of the configuration; quoted where nginx would end it otherwise. */
function word(text: string): string {
  if (!/[\s;{}"'\\#$]/.test(text)) return text;
  return `"${text.replace(/["\\]/g, String.raw`\$&`)}"`;
}

function time(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** nginx's suffixes are powers of 1024 too. */
function size(bytes: number): string {
  if (bytes === 0 || bytes % 1024 !== 0) return String(bytes);
  return bytes % 1024 ** 2 === 0 ? `${bytes / 1024 ** 2}m` : `${bytes / 1024}k`;
}

/** 0 stands for "no limit", so it beats every number. */
function largest(values: readonly number[]): number {
  return values.includes(0) ? 0 : Math.max(...values);
}

/** Where nginx connects to: an address that listens on every interface is reached over loopback. */
function upstreamServer(address: SocketAddress): string {
  if (address.kind === 'unix') return word(`unix:${address.path}`);
  const host = address.host === '0.0.0.0' ? '127.0.0.1' : address.host === '::' ? '::1' : address.host;
  return `${isIPv6(host) ? `[${host}]` : host}:${address.port}`;
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => (line === '' ? '' : `    ${line}`));
}

function block(head: string, lines: readonly string[]): string[] {
  return [`${head} {`, ...indent(lines), '}'];
}

function keepaliveLines(listener: NginxListener, idle: number): string[] {
  if (listener.protocol === 'uwsgi' || listener.protocol === 'scgi') {
    return [
      `# nginx opens a connection for every ${listener.protocol} request; only fastcgi and http keep them.`,
    ];
  }
  const timeout = Math.min(KEEPALIVE_MAX_MS, Math.max(1, Math.floor(idle * 0.8)));
  return [
    'keepalive 32;',
    `# Below timeouts.idle (${time(idle)}): nginx has to close first, or a POST may meet a closing connection (502).`,
    `keepalive_timeout ${time(timeout)};`,
  ];
}

function serverLine(address: NginxListener['address']): string[] {
  if (address.kind === 'systemd') {
    return [
      `# systemd binds this listener: put what the socket unit with FileDescriptorName=${address.name} listens on here.`,
      'server 127.0.0.1:1;',
    ];
  }
  if (address.kind === 'tcp' && address.port === 0) {
    return ['# This listener takes any free port (port 0): put the real one here.', 'server 127.0.0.1:1;'];
  }
  return [`server ${upstreamServer(address)};`];
}

function upstreamLines(name: string, listener: NginxListener, idle: number): string[] {
  return block(`upstream ${name}`, [...serverLine(listener.address), ...keepaliveLines(listener, idle)]);
}

const PROXY_HEADERS = [
  '# HTTP/1.1 with a free Connection header keeps upstream connections open and lets WebSockets through.',
  'proxy_http_version 1.1;',
  'proxy_set_header Connection         $viaduct_connection;',
  'proxy_set_header Upgrade            $http_upgrade;',
  '',
  "# $http_host has the port; $host, as in Debian's proxy_params, drops it.",
  'proxy_set_header Host               $http_host;',
  'proxy_set_header X-Forwarded-For    $proxy_add_x_forwarded_for;',
  'proxy_set_header X-Forwarded-Host   $http_host;',
  'proxy_set_header X-Forwarded-Port   $server_port;',
  'proxy_set_header X-Forwarded-Proto  $scheme;',
  'proxy_set_header X-Real-IP          $remote_addr;',
  '# httpoxy: no client may set HTTP_PROXY.',
  'proxy_set_header Proxy              "";',
] as const;

function headerLines(listener: NginxListener): string[] {
  const module = MODULE[listener.protocol];
  if (module === 'proxy') return [...PROXY_HEADERS];
  const params: ParamsProtocol = module;
  return paramLines(params);
}

/** ngx_http_upstream_next() grants one more try for every kept connection that failed, even to a single server. */
function retryLines(module: (typeof MODULE)[NginxListener['protocol']]): string[] {
  if (module === 'uwsgi' || module === 'scgi') return [];
  return [
    '# Where a kept connection breaks, nginx sends all but POST, LOCK and PATCH again: a GET that kills its worker may',
    '# kill several. This ends that; the price is a 502 for a GET that meets a closing connection.',
    `# ${module}_next_upstream off;`,
  ];
}

/** In a tunnel the same two timeouts count the time without a byte (ngx_http_upstream_process_upgraded()). */
function upgradeLines(module: (typeof MODULE)[NginxListener['protocol']]): string[] {
  if (module === 'fastcgi') {
    return [
      '# No WebSockets here: nginx opens no tunnel over FastCGI. Give them a location with uwsgi_pass and a uwsgi listener.',
    ];
  }
  return [
    `# A WebSocket in which nothing moves for that long is cut: let the app send pings, or raise ${module}_read_timeout`,
    `# and ${module}_send_timeout in a location of its own.`,
  ];
}

function locationLines(name: string, listener: NginxListener, requestMs: number): string[] {
  const module = MODULE[listener.protocol];
  const read = requestMs === 0 ? '1d' : time(requestMs + READ_MARGIN_MS);
  const why =
    requestMs === 0
      ? '# timeouts.request sets no limit; nginx wants one.'
      : `# A little above timeouts.request (${time(requestMs)}), so that viaduct answers 504 and nginx does not.`;
  return [
    module === 'proxy' ? `proxy_pass http://${name};` : `${module}_pass ${name};`,
    ...(module === 'fastcgi'
      ? [
          '# Connections stay open, chunks arrive at once, and a response cut short is seen as one.',
          'fastcgi_keep_conn on;',
        ]
      : []),
    '',
    `${module}_connect_timeout 5s;`,
    why,
    `${module}_read_timeout ${read};`,
    `${module}_send_timeout ${read};`,
    ...upgradeLines(module),
    ...retryLines(module),
    '',
    '# The response headers have to fit into the first buffer, else: 502 "upstream sent too big header".',
    `${module}_buffer_size 16k;`,
    `${module}_buffers 8 16k;`,
    '# nginx takes the whole body first, so that slow clients cost viaduct nothing.',
    `${module}_request_buffering on;`,
    '',
    ...headerLines(listener),
  ];
}

function serverNameLines(input: NginxInput): string[] {
  const hosts = new Set(input.mounts.flatMap(({ host }) => (host === null ? [] : [host])));
  if (hosts.size === 0) return ['# server_name example.com;'];
  // $server_name, and with it SERVER_NAME, is the first of them: better a whole name than a wildcard.
  const names = [...hosts].toSorted((a, b) => Number(a.startsWith('*')) - Number(b.startsWith('*')));
  return [`server_name ${names.map(word).join(' ')};`];
}

function serverLines(name: string, listener: NginxListener, listen: string, input: NginxInput): string[] {
  const anyHost = input.mounts.some(({ host }) => host === null);
  const named = input.mounts.some(({ host }) => host !== null);
  const request = largest([input.timeouts.request, ...input.mounts.map(({ timeouts }) => timeouts.request)]);
  const body = largest([input.limits.bodySize, ...input.mounts.map(({ limits }) => limits.bodySize)]);
  return block('server', [
    // Mounts without a host answer to any name, so this block has to get the names it does not list.
    `listen ${word(listen)}${anyHost && named ? ' default_server' : ''};`,
    ...serverNameLines(input),
    '',
    `# limits.body_size, the largest of all mounts; 0 is no limit.`,
    `client_max_body_size ${size(body)};`,
    '',
    '# Host and request line name two different hosts: refused, because apps are given the Host header.',
    'if ($viaduct_host_differs) { return 400; }',
    '',
    `# Mounts: ${[...new Set(input.mounts.map(({ path }) => path))].join(' ')}`,
    ...block('location /', locationLines(name, listener, request)),
  ]);
}

/** Maps every server block needs; they stand outside of it. */
const HOST_MAP = [
  '# 1 where the Host header names another host than the request line ($host); a port or a final dot may differ.',
  ...block('map "$host $http_host" $viaduct_host_differs', [
    'default 1;',
    String.raw`"~*^(\S*) (\1\.?(:\d*)?)?$" 0;`,
  ]),
];

const UPGRADE_MAP = [
  '# Upgrade for a WebSocket, else none: an empty header keeps the upstream connection open.',
  ...block('map $http_upgrade $viaduct_connection', ['default upgrade;', "'' '';"]),
];

function upstreamNames(listeners: readonly NginxListener[]): string[] {
  const used = new Map<string, number>();
  return listeners.map(({ protocol }) => {
    const count = (used.get(protocol) ?? 0) + 1;
    used.set(protocol, count);
    return count === 1 ? `viaduct_${protocol}` : `viaduct_${protocol}_${count}`;
  });
}

/** 80 for the first server block, 8081 and up for the rest, but no port viaduct itself has. */
function listenAddresses(listeners: readonly NginxListener[], given: readonly string[]): string[] {
  const taken = new Set(listeners.map(({ address }) => (address.kind === 'tcp' ? address.port : 0)));
  let next = 8080;
  return listeners.map((_listener, index) => {
    const own = given[index];
    if (own !== undefined) return own;
    if (index === 0 && !taken.has(80)) return '80';
    do next += 1;
    while (taken.has(next));
    return String(next);
  });
}

/** The nginx configuration for these listeners, to be included in `http { }`. */
export function renderNginx(input: NginxInput, options: NginxOptions = {}): string {
  const { listeners } = input;
  const names = upstreamNames(listeners);
  const listen = listenAddresses(listeners, options.listen ?? []);
  const hasHttp = listeners.some(({ protocol }) => protocol === 'http');
  const parts = listeners.map((listener, index) => {
    const name = names[index] ?? '';
    return [
      ...upstreamLines(name, listener, input.timeouts.idle),
      '',
      ...serverLines(name, listener, listen[index] ?? '', input),
    ];
  });
  return [
    '# nginx in front of viaduct. Belongs into http { }, for example as a file in conf.d/ or sites-enabled/.',
    '# Printed by: viaduct nginx',
    ...(listeners.length > 1
      ? ['# One server block for each listener of viaduct; one of them is enough.']
      : []),
    '',
    ...HOST_MAP,
    ...(hasHttp ? ['', ...UPGRADE_MAP] : []),
    ...parts.flatMap((lines) => ['', ...lines]),
    '',
  ].join('\n');
}
