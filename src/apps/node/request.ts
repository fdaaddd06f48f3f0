// The IncomingMessage of an environ. It does not know where its body comes from: `socket.resume()` asks for that.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Environ } from '../../gateway/contract.ts';
import { giveHeaders } from './internals.ts';
import { PLAIN_KINDS } from './kinds.ts';
import { rawHeaders } from './request-headers.ts';
import { mountRequest, requestUrl } from './request-url.ts';

/** @param socket what becomes req.socket; a stand-in has to do what RequestSocket does */
export function makeRequest(
  environ: Environ,
  socket: Socket,
  newRequest: (socket: Socket) => IncomingMessage = PLAIN_KINDS.newRequest,
): IncomingMessage {
  const req = newRequest(socket);
  req.method = environ.REQUEST_METHOD;
  setVersion(req, environ.SERVER_PROTOCOL);
  const url = requestUrl(environ);
  req.url = url.url;
  mountRequest(req, url);
  giveHeaders(req, rawHeaders(environ));
  return req;
}

function setVersion(req: IncomingMessage, protocol: string): void {
  const version = protocol === 'HTTP/1.1' ? null : /^HTTP\/([0-9])(?:\.([0-9]))?$/.exec(protocol);
  req.httpVersionMajor = Number(version?.[1] ?? 1);
  req.httpVersionMinor = Number(version === null ? 1 : (version[2] ?? 0));
  req.httpVersion = version === null ? '1.1' : `${req.httpVersionMajor}.${req.httpVersionMinor}`;
}
