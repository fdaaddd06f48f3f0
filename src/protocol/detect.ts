// Tells the protocol of a connection by its first bytes. Peeks only: the bytes go on to the decoder that is chosen.
import { ProtocolError } from './errors.ts';
import type { ProtocolErrorCode } from './errors.ts';
import { Modifier } from './uwsgi/constants.ts';

export type Detected = { protocol: 'fastcgi' | 'uwsgi' | 'scgi' | 'http' } | { error: ProtocolError };

/** The protocols that can be told apart. */
export type DetectedProtocol = Extract<Detected, { protocol: string }>['protocol'];

const FASTCGI: Detected = { protocol: 'fastcgi' };
const UWSGI: Detected = { protocol: 'uwsgi' };
const SCGI: Detected = { protocol: 'scgi' };
const HTTP: Detected = { protocol: 'http' };

const UWSGI_MODIFIERS: ReadonlySet<number> = new Set(Object.values(Modifier));
const NETSTRING_LENGTH = /^[1-9][0-9]{0,6}$/;
const SCGI_FIRST_HEADER = ':CONTENT_LENGTH\0';

interface Refusal {
  readonly start: string;
  readonly code: ProtocolErrorCode;
  readonly what: string;
}

/** What is told apart only to say what is wrong. */
const HTTP2: Refusal = { start: 'PRI * HTTP/2.0', code: 'ERR_HTTP2', what: 'HTTP/2 without TLS' };
const PROXY_V1: Refusal = {
  start: 'PROXY ',
  code: 'ERR_PROXY_PROTOCOL',
  what: 'the PROXY protocol, version 1',
};
const PROXY_V2: Refusal = {
  start: '\r\n\r\n\0\r\nQ',
  code: 'ERR_PROXY_PROTOCOL',
  what: 'the PROXY protocol, version 2',
};
const TLS: Refusal = { start: '\x16\x03', code: 'ERR_TLS', what: 'TLS' };

/** Enough for the longest look: seven digits and SCGI_FIRST_HEADER. */
const LOOK_SIZE = 24;

/**
 * The protocol, or why none can be served, or null where more bytes are needed (never more than 24).
 * Once decided, more bytes decide the same. It takes 1 byte for uwsgi, 2 for FastCGI, 4 for HTTP/1, up to 23 for SCGI.
 */
export function detectProtocol(prefix: Buffer): Detected | null {
  const first = prefix[0];
  if (first === undefined) return null;
  if (first === 1) return detectFastcgi(prefix);
  if (UWSGI_MODIFIERS.has(first)) return UWSGI;
  const text = prefix.toString('latin1', 0, LOOK_SIZE);
  if (/^[1-9]/.test(text)) return detectScgi(text);
  if (/^[A-Z]/.test(text)) return detectHttp(text);
  return refuse(text, [TLS, PROXY_V2], unknown);
}

/** FCGI_VERSION_1, then FCGI_BEGIN_REQUEST or FCGI_GET_VALUES: nothing else can come first. uwsgi leaves modifier1 1 unused. */
function detectFastcgi(prefix: Buffer): Detected | null {
  if (prefix.length < 2) return null;
  return prefix[1] === 1 || prefix[1] === 9 ? FASTCGI : unknown(prefix.toString('latin1', 0, LOOK_SIZE));
}

function detectScgi(text: string): Detected | null {
  const colon = text.indexOf(':');
  if (!NETSTRING_LENGTH.test(colon < 0 ? text : text.slice(0, colon))) return unknown(text);
  if (colon < 0) return null;
  const header = text.slice(colon);
  if (header.startsWith(SCGI_FIRST_HEADER)) return SCGI;
  return SCGI_FIRST_HEADER.startsWith(header) ? null : unknown(text);
}

/** A method in capitals. uwsgi modifiers share these values, but modifier2 or a size byte below 0x20 gives them away. */
function detectHttp(text: string): Detected | null {
  return refuse(text, [HTTP2, PROXY_V1], detectHttpMethod);
}

function detectHttpMethod(text: string): Detected | null {
  for (let i = 1; i < 4; i++) {
    const code = text.charCodeAt(i);
    if (Number.isNaN(code)) return null;
    if (code < 0x20) return UWSGI;
    if (code > 0x7e) return unknown(text);
  }
  return HTTP;
}

/** The refusal the text begins with, null while it may become one, else what `otherwise` says. */
function refuse(
  text: string,
  refusals: readonly Refusal[],
  otherwise: (text: string) => Detected | null,
): Detected | null {
  for (const { start, code, what } of refusals) {
    if (text.startsWith(start)) {
      const message = `Cannot serve ${what}: want FastCGI, uwsgi, SCGI or HTTP/1`;
      return { error: new ProtocolError(code, message) };
    }
    if (start.startsWith(text)) return null;
  }
  return otherwise(text);
}

function unknown(text: string): Detected {
  const hex = Buffer.from(text.slice(0, 8), 'latin1').toString('hex');
  const message = `Cannot tell the protocol: the first bytes are ${hex}, want FastCGI, uwsgi, SCGI or HTTP/1`;
  return { error: new ProtocolError('ERR_UNKNOWN_PROTOCOL', message) };
}
