// A daemon behind nginx for upgrades: one listener and one nginx server a protocol, and a raw client for them.
import { connect, type Socket } from 'node:net';
import { type Daemon, type DaemonOptions, startDaemon } from './daemon.ts';
import {
  fastcgiLocation,
  httpLocation,
  type Nginx,
  scgiLocation,
  serverBlock,
  startNginx,
  uwsgiLocation,
} from './nginx.ts';
import { waitFor } from './wait.ts';

/** The ways that can carry a tunnel. */
export const TUNNEL_WAYS = ['uwsgi', 'scgi', 'http'] as const;
export type TunnelWay = (typeof TUNNEL_WAYS)[number];

const PROXY_LINES = [
  'proxy_http_version 1.1;',
  'proxy_set_header Connection $http_connection;',
  'proxy_set_header Upgrade $http_upgrade;',
].join('\n  ');

export interface TunnelStand {
  readonly daemon: Daemon;
  readonly nginx: Nginx;
  /** The port of nginx for that protocol; `fastcgi` has one too. */
  port(way: string): number;
  stop(): Promise<void>;
}

/** `config` is the daemon's without listeners. */
export async function startTunnelStand(
  config: object,
  options: Omit<DaemonOptions, 'config'> = {},
): Promise<TunnelStand> {
  const daemon = await startDaemon({
    ...options,
    config: {
      listeners: ['fastcgi', ...TUNNEL_WAYS].map((protocol) => ({
        address: `unix:{{dir}}/${protocol}.sock`,
        protocol,
      })),
      ...config,
    },
  });
  const at = (way: string): string => `unix:${daemon.socket(way)}`;
  const nginx = await startNginx({
    servers: [
      serverBlock(uwsgiLocation({ socket: at('uwsgi') }), 'uwsgi'),
      serverBlock(scgiLocation({ socket: at('scgi') }), 'scgi'),
      serverBlock(httpLocation({ socket: `${at('http')}:`, extra: PROXY_LINES }), 'http'),
      serverBlock(fastcgiLocation({ socket: at('fastcgi') }), 'fastcgi'),
    ].join(''),
  });
  return {
    daemon,
    nginx,
    port: (way) => nginx.portOf(way),
    async stop() {
      await nginx.stop();
      await daemon.remove();
    },
  };
}

/** A client that speaks for itself. */
export class RawClient {
  readonly socket: Socket;
  #received: Buffer[] = [];
  ended = false;
  closed = false;

  constructor(target: number | string) {
    this.socket =
      typeof target === 'number'
        ? connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
        : connect({ path: target, allowHalfOpen: true });
    this.socket.on('data', (chunk) => this.#received.push(chunk));
    this.socket.on('end', () => (this.ended = true));
    this.socket.on('close', () => (this.closed = true));
    this.socket.on('error', () => undefined);
  }

  get text(): string {
    return Buffer.concat(this.#received).toString('latin1');
  }

  get size(): number {
    return this.#received.reduce((sum, { length }) => sum + length, 0);
  }

  /** Asks for an upgrade; `behind` travels with the request. */
  ask(path: string, protocol = 'echo', behind = '', more = ''): this {
    this.socket.write(
      `GET ${path} HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n${more}\r\n${behind}`,
      'latin1',
    );
    return this;
  }

  /** Waits until what has come contains `wanted`. */
  async until(wanted: string): Promise<string> {
    await waitFor(() => this.text.includes(wanted), { what: `"${wanted}" in ${JSON.stringify(this.text)}` });
    return this.text;
  }
}
