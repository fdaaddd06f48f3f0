// The admin HTTP server: metrics for scrapers, probes for balancers, status for people. Small limits, no state; may not
// know how readiness or status come about.
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Metrics } from './metrics.ts';
import { isForUs } from './own-host.ts';
import { phpFpmStatus } from './php-fpm.ts';
import { sharedRefresh } from './refresh.ts';
import type { Status } from './status-data.ts';
import { renderPage } from './status-page/page.ts';

export interface AdminOptions {
  readonly metrics: Pick<Metrics, 'render'>;
  /** Whether requests can be served now; if not, why, one sentence each. */
  readonly ready: () => { readonly ready: boolean; readonly reasons: readonly string[] };
  /** What /status.json shows, as it is, and the page. */
  readonly status: () => Status;
  /**
   * Gets fresh numbers for /metrics, /status.json and the page; they wait 50 ms for it, then show what there is. It may be called
   * again before it has resolved, so it must not pile anything up on who does not answer.
   */
  readonly refresh?: (() => Promise<void>) | undefined;
  readonly logger: { error(fields: object, message: string): void };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The options, their refresh() shared, bounded and always there. */
type Source = AdminOptions & { readonly refresh: () => Promise<void> };

type Page = (request: IncomingMessage, source: Source) => Answer | Promise<Answer>;

const TEXT = 'text/plain; charset=utf-8';
const HTML_TYPE = 'text/html; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

const WRONG_HOST = `This page shows requests and tracebacks: on a loopback address it answers to that address and to localhost, not to other
names. A proxy in front has to send such a Host header, as nginx's proxy_pass does unless told.
`;

interface Place {
  readonly about: string;
  readonly page: Page;
  /** Has what clients and applications said. */
  readonly isPrivate?: boolean;
}

const PAGES: ReadonlyMap<string, Place> = new Map<string, Place>([
  ['/', { about: 'all of it for people', page: statusPage, isPrivate: true }],
  ['/metrics', { about: 'Prometheus metrics, OpenMetrics by Accept', page: metricsPage }],
  [
    '/livez',
    { about: '200 while the process answers', page: () => ({ status: 200, type: TEXT, text: 'ok\n' }) },
  ],
  ['/readyz', { about: '200 when requests can be served, else 503 with reasons', page: readyPage }],
  [
    '/status.json',
    {
      about: "the same for programs; ?php-fpm and ?php-fpm&full: php-fpm's fields",
      page: statusJson,
      isPrivate: true,
    },
  ],
]);

/**
 * The server, not listening yet. Its limits are for a handful of scrapers on a trusted address: 16 KiB of headers, 5 s to
 * send them, 64 connections.
 */
export function createAdminServer(options: AdminOptions): Server {
  const limits = {
    maxHeaderSize: 16 * 1024,
    headersTimeout: 5_000,
    requestTimeout: 10_000,
    keepAliveTimeout: 5_000,
    connectionsCheckingInterval: 1_000,
  };
  const server = createServer(limits, listener(options));
  server.maxConnections = 64;
  return server;
}

function listener(options: AdminOptions): RequestListener {
  const refresh = sharedRefresh(options.refresh ?? (() => Promise.resolve()), (error) =>
    options.logger.error({ err: error }, 'Cannot refresh the numbers, the last ones known are shown'),
  );
  const source = { ...options, refresh };
  return (request, response) => {
    void respond(request, response, source);
  };
}

async function respond(request: IncomingMessage, response: ServerResponse, source: Source): Promise<void> {
  const { status, type, text, headers } = await answer(request, source);
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  // node:http leaves the body of an answer to HEAD out
  response.end(text);
  // A body nobody asked for: read and thrown away, for the connection's next request
  request.resume();
}

async function answer(request: IncomingMessage, source: Source): Promise<Answer> {
  const path = (request.url ?? '').replace(/\?.*$/s, '');
  const found = PAGES.get(path);
  if (!found) return { status: 404, type: TEXT, text: `Nothing here. There is:\n${listing()}` };
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { status: 405, type: TEXT, text: 'Only GET and HEAD\n', headers: { allow: 'GET, HEAD' } };
  }
  if (found.isPrivate === true && !isForUs(request)) return { status: 421, type: TEXT, text: WRONG_HOST };
  try {
    return await found.page(request, source);
  } catch (error) {
    source.logger.error({ err: error, path }, 'Admin page failed');
    return { status: 500, type: TEXT, text: 'This page failed, the log says why\n' };
  }
}

function listing(): string {
  return [...PAGES].map(([path, { about }]) => `${path.padEnd(14)}${about}\n`).join('');
}

async function metricsPage(request: IncomingMessage, { metrics, refresh }: Source): Promise<Answer> {
  await refresh();
  const { contentType, text } = await metrics.render(request.headers.accept);
  return { status: 200, type: contentType, text, headers: { vary: 'accept' } };
}

function readyPage(_request: IncomingMessage, source: Source): Answer {
  const { ready, reasons } = source.ready();
  if (ready) return { status: 200, type: TEXT, text: 'ready\n' };
  return { status: 503, type: TEXT, text: ['not ready', ...reasons].map((line) => `${line}\n`).join('') };
}

async function statusPage({ url = '' }: IncomingMessage, source: Source): Promise<Answer> {
  await source.refresh();
  const { text, headers } = renderPage(source.status(), !query(url).has('still'));
  return { status: 200, type: HTML_TYPE, text, headers };
}

async function statusJson({ url = '' }: IncomingMessage, source: Source): Promise<Answer> {
  await source.refresh();
  const status = source.status();
  const asked = query(url);
  const shown = asked.has('php-fpm') ? phpFpmStatus(status, asked.has('full')) : status;
  return { status: 200, type: JSON_TYPE, text: `${JSON.stringify(shown, null, 2)}\n` };
}

const query = (url: string): URLSearchParams => new URLSearchParams(/\?(.*)$/s.exec(url)?.[1] ?? '');
