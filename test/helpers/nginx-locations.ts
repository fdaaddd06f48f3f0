// Builds the nginx configuration that tests use: location blocks for each protocol, and a keep-alive upstream.
// Text only; nginx.ts runs it.

export interface LocationOptions {
  /** Where to pass to, as nginx spells it: `unix:/path`, `127.0.0.1:9000` or the name of an upstream block. */
  socket: string;
  /** The location's prefix or `= /exact`; `/` unless told. */
  path?: string;
  /** `*_buffering`; nginx's default is on. */
  buffering?: boolean;
  /** `*_request_buffering`; nginx's default is on. */
  requestBuffering?: boolean;
  /** Includes the parameter file of the distribution; true unless told. Without it only `extra` gives parameters. */
  stockParams?: boolean;
  /** Directives for the end of the block. */
  extra?: string;
}

export interface FastcgiLocationOptions extends LocationOptions {
  /** `fastcgi_keep_conn`; nginx's default is off. Connections are kept only where `socket` is a keepaliveUpstream(). */
  keepConn?: boolean;
}

/** A location block that passes to a FastCGI server. */
export function fastcgiLocation(options: FastcgiLocationOptions): string {
  return location('fastcgi', options, [toggle('fastcgi_keep_conn', options.keepConn)]);
}

/** A location block that passes to a uwsgi server: one request a connection (nginx: ngx_http_uwsgi_module.c). */
export function uwsgiLocation(options: LocationOptions): string {
  return location('uwsgi', options, []);
}

/** A location block that passes to an SCGI server: one request a connection. */
export function scgiLocation(options: LocationOptions): string {
  return location('scgi', options, []);
}

export interface HttpLocationOptions extends LocationOptions {
  /** HTTP/1.1 without `Connection: close`, which keep-alive needs; nginx's default is HTTP/1.0. */
  keepConn?: boolean;
}

/** A location block that passes to an HTTP server. Its stock parameter file is Debian's proxy_params. */
export function httpLocation(options: HttpLocationOptions): string {
  const target = { ...options, socket: `http://${options.socket}` };
  const keepAlive = ['proxy_http_version 1.1;', 'proxy_set_header Connection "";'];
  return location('proxy', target, options.keepConn === true ? keepAlive : []);
}

/** An upstream block for `http`, which keeps up to `connections` idle ones to `socket` in each nginx worker. */
export function keepaliveUpstream(name: string, socket: string, connections = 32): string {
  return `upstream ${name} {\n  server ${socket};\n  keepalive ${connections};\n}\n`;
}

/** A server block on 127.0.0.1 at a free port: `{{port}}`, or `{{port:NAME}}` where one configuration has several. */
export function serverBlock(locations: string, portName?: string): string {
  const port = portName === undefined ? '{{port}}' : `{{port:${portName}}}`;
  return `server {\n  listen 127.0.0.1:${port};\n${locations}}\n`;
}

function location(module: string, options: LocationOptions, more: readonly string[]): string {
  const { path = '/', socket, stockParams = true, extra = '' } = options;
  const lines = [
    `${module}_pass ${socket};`,
    stockParams ? `include /etc/nginx/${module}_params;` : '',
    toggle(`${module}_buffering`, options.buffering),
    toggle(`${module}_request_buffering`, options.requestBuffering),
    ...more,
    extra,
  ];
  return `location ${path} {\n  ${lines.filter((line) => line !== '').join('\n  ')}\n}\n`;
}

function toggle(directive: string, value: boolean | undefined): string {
  return value === undefined ? '' : `${directive} ${value ? 'on' : 'off'};`;
}
