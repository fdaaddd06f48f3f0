// The whole bridge for one test file: one viaduct with a listener for each protocol, one nginx in front of it with a
// port for each way to reach it, and a check that neither logged what the test did not expect.
import { expect } from 'chai';
import { join } from 'node:path';
import { type Daemon, type DaemonOptions, startDaemon } from './daemon.ts';
import { type CallOptions, type HttpCall, type HttpResponse, request, startCall } from './http-client.ts';
import {
  fastcgiLocation,
  httpLocation,
  keepaliveUpstream,
  type LocationOptions,
  type Nginx,
  scgiLocation,
  serverBlock,
  startNginx,
  uwsgiLocation,
} from './nginx.ts';
import { projectRoot } from './project.ts';

/** One way from an HTTP client through nginx to viaduct. */
export interface Way {
  /** Letters, digits and _: the name of nginx's port, too. */
  readonly name: string;
  readonly protocol: 'fastcgi' | 'uwsgi' | 'scgi' | 'http';
  /** Over 127.0.0.1; a Unix socket unless told. */
  readonly tcp?: boolean;
  readonly keepConn?: boolean;
  readonly buffering?: boolean;
  readonly requestBuffering?: boolean;
  /** Directives for the end of its location. */
  readonly extra?: string;
}

export const FASTCGI_KEEP: Way = { name: 'fastcgi_keep', protocol: 'fastcgi', keepConn: true };
export const FASTCGI_ONCE: Way = { name: 'fastcgi_once', protocol: 'fastcgi', keepConn: false };
export const UWSGI: Way = { name: 'uwsgi', protocol: 'uwsgi' };
export const UWSGI_TCP: Way = { name: 'uwsgi_tcp', protocol: 'uwsgi', tcp: true };
export const SCGI: Way = { name: 'scgi', protocol: 'scgi' };
export const HTTP_KEEP: Way = { name: 'http_keep', protocol: 'http', keepConn: true };
/** nginx's default for proxy_pass: HTTP/1.0, one request a connection. */
export const HTTP_ONCE: Way = { name: 'http_once', protocol: 'http', keepConn: false };

/** The protocols as people use them. */
export const WAYS: readonly Way[] = [FASTCGI_KEEP, FASTCGI_ONCE, UWSGI, SCGI, HTTP_KEEP];

/** The same ways with a directive changed. */
export function unbuffered(ways: readonly Way[]): Way[] {
  return ways.map((way) => ({ ...way, name: `${way.name}_unbuffered`, buffering: false }));
}

export function streamed(ways: readonly Way[]): Way[] {
  return ways.map((way) => ({ ...way, name: `${way.name}_streamed`, requestBuffering: false }));
}

export interface BridgeOptions {
  ways: readonly Way[];
  /** Path and file of test/fixtures/apps, without ".js"; or a mount as the configuration has it. */
  mounts: Readonly<Record<string, string | object>>;
  /** More of viaduct's configuration. */
  config?: object;
  /** More for startDaemon(). */
  daemon?: Omit<DaemonOptions, 'config'>;
  /** Directives for each server block of nginx. */
  server?: string;
  /** Directives for the end of each location, `{{module}}` being fastcgi, uwsgi, scgi or proxy. */
  location?: string;
}

export interface Expected {
  /** Lines of nginx's error log, from `warn` up, that are no surprise. */
  nginx?: readonly RegExp[];
  /** Messages of viaduct's log, from `warn` up. */
  viaduct?: readonly RegExp[];
}

/** nginx says so of every large body; nothing is wrong then. */
const ALWAYS_FINE = [/a client request body is buffered/, /an upstream response is buffered/];

export class Bridge {
  readonly daemon: Daemon;
  readonly nginx: Nginx;
  readonly #options: BridgeOptions;
  #nginxSeen = 0;
  #daemonSeen = 0;
  /** What the last test expected: lines of its last request may be read only after the answer to it. */
  #before: Expected = {};

  constructor(daemon: Daemon, nginx: Nginx, options: BridgeOptions) {
    this.daemon = daemon;
    this.nginx = nginx;
    this.#options = options;
  }

  /** Writes viaduct's configuration with other mounts or settings; nothing is reloaded by that. */
  configure(changes: Pick<Partial<BridgeOptions>, 'mounts' | 'config'>): Promise<void> {
    return this.daemon.configure(configuration({ ...this.#options, ...changes }));
  }

  request(way: Way, options: CallOptions): Promise<HttpResponse> {
    return request({ port: this.nginx.portOf(way.name), ...options });
  }

  startCall(way: Way, options: CallOptions): HttpCall {
    return startCall({ port: this.nginx.portOf(way.name), ...options });
  }

  /** A GET whose answer is JSON. */
  async json<T>(way: Way, path: string): Promise<T> {
    const response = await this.request(way, { path });
    if (response.status !== 200) throw new Error(`Cannot take JSON: ${path} gave ${response.status}`);
    return JSON.parse(response.text) as T;
  }

  /** Fails on anything either has logged at `warn` or above since the last call, but for what is expected. */
  async expectQuietLogs({ nginx = [], viaduct = [] }: Expected = {}): Promise<void> {
    const log = await this.nginx.errorLog();
    const news = log.slice(this.#nginxSeen).split('\n');
    const serious = news.filter((line) => /\[(warn|error|crit|alert|emerg)\]/.test(line));
    this.#nginxSeen = log.length;
    const lines = this.daemon.log();
    const messages = lines
      .slice(this.#daemonSeen)
      .filter(({ level }) => level === 'warn' || level === 'error' || level === 'fatal')
      .map(({ msg }) => String(msg));
    this.#daemonSeen = lines.length;
    const late = this.#before;
    this.#before = { nginx, viaduct };
    const fine = {
      nginx: [...ALWAYS_FINE, ...nginx, ...(late.nginx ?? [])],
      viaduct: [...viaduct, ...(late.viaduct ?? [])],
    };
    expect(unexpected(serious, fine.nginx), "nginx's error log").to.deep.equal([]);
    expect(unexpected(messages, fine.viaduct), "viaduct's log").to.deep.equal([]);
  }

  async stop(): Promise<void> {
    await this.nginx.stop();
    await this.daemon.remove();
  }
}

/** Starts viaduct, then nginx in front of it. */
export async function startBridge(options: BridgeOptions): Promise<Bridge> {
  const daemon = await startDaemon({ ...options.daemon, config: configuration(options) });
  const http = options.ways
    .filter(({ keepConn }) => keepConn === true)
    .map((way) => keepaliveUpstream(way.name, addressOf(daemon, way)));
  const servers = options.ways.map((way) => {
    const block = locationOf(daemon, way, options.location ?? '');
    const server = `client_max_body_size 128m;\n${options.server ?? ''}\n${block}`;
    return serverBlock(server, way.name);
  });
  try {
    const nginx = await startNginx({ http: http.join(''), servers: servers.join('') });
    return new Bridge(daemon, nginx, options);
  } catch (error) {
    await daemon.remove();
    throw error;
  }
}

/** The path of an app in test/fixtures/apps. */
export function fixtureApp(name: string): string {
  return join(projectRoot, 'test/fixtures/apps', `${name}.js`);
}

function configuration({ mounts, config = {} }: BridgeOptions): object {
  const protocols = ['fastcgi', 'uwsgi', 'scgi', 'http'];
  return {
    listeners: protocols.flatMap((protocol) => [
      { address: `unix:{{dir}}/${protocol}.sock`, protocol },
      { address: `127.0.0.1:{{port:${protocol}}}`, protocol },
    ]),
    mounts: Object.entries(mounts).map(([path, mount]) =>
      typeof mount === 'string' ? { path, app: fixtureApp(mount) } : { path, ...mount },
    ),
    ...config,
  };
}

function addressOf(daemon: Daemon, { protocol, tcp }: Way): string {
  return tcp === true ? `127.0.0.1:${daemon.port(protocol)}` : `unix:${daemon.socket(protocol)}`;
}

function locationOf(daemon: Daemon, way: Way, more: string): string {
  const { protocol, keepConn, buffering, requestBuffering, extra = '' } = way;
  const module = protocol === 'http' ? 'proxy' : protocol;
  const options: LocationOptions & { keepConn?: boolean } = {
    socket: keepConn === true ? way.name : addressOf(daemon, way),
    ...(buffering !== undefined && { buffering }),
    ...(requestBuffering !== undefined && { requestBuffering }),
    ...(keepConn !== undefined && { keepConn }),
    extra: `${more}\n${extra}`.replaceAll('{{module}}', module),
  };
  if (protocol === 'fastcgi') return fastcgiLocation(options);
  if (protocol === 'uwsgi') return uwsgiLocation(options);
  return protocol === 'scgi' ? scgiLocation(options) : httpLocation(options);
}

function unexpected(lines: readonly string[], expected: readonly RegExp[]): string[] {
  return lines.filter((line) => !expected.some((pattern) => pattern.test(line)));
}
