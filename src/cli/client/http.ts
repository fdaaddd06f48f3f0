// The HTTP side of the probe client, on node:http. What comes back is told in the same events as from the others.
import { request as httpRequest, type ClientRequest as NodeRequest, type IncomingMessage } from 'node:http';
import { connectOptions, formatAddress } from './address.ts';
import type { ResponseHead } from './cgi-response.ts';
import type { Client, ClientRequest, ResponseSink } from './client.ts';
import { brokenFailure, ClientFailure, connectFailure, errorCode } from './failure.ts';
import { contentLength } from './response-reader.ts';

function headOf(message: IncomingMessage): ResponseHead {
  const headers: [string, string][] = [];
  for (let i = 0; i < message.rawHeaders.length; i += 2) {
    headers.push([message.rawHeaders[i] ?? '', message.rawHeaders[i + 1] ?? '']);
  }
  return { status: message.statusCode ?? 0, reason: message.statusMessage ?? '', headers };
}

function open(request: ClientRequest): NodeRequest {
  const to = connectOptions(request.address);
  return httpRequest({
    ...('path' in to ? { socketPath: to.path } : to),
    agent: false,
    method: request.method,
    path: request.target,
    headers: request.headers.flat(),
    setHost: false,
  });
}

/** What went wrong before or within the response, in words. */
function failureOf(error: Error, request: ClientRequest, connected: boolean): ClientFailure {
  if (!connected) return connectFailure(error, request.address, 'http');
  if (!errorCode(error).startsWith('HPE_')) return brokenFailure(error, request.address, 'http');
  return new ClientFailure(
    `reading the response from ${formatAddress(request.address)} failed: ${error.message} (${errorCode(error)}), wanted an HTTP/1.1 response`,
    'is it an http listener?',
  );
}

function truncated(received: number, head: ResponseHead): ClientFailure {
  const declared = contentLength(head);
  return new ClientFailure(
    `reading the response body failed: it ended after ${received} bytes, wanted ${declared < 0 ? 'the last chunk' : `the ${declared} of Content-Length`}`,
    'the app failed in the middle of its body, or its Content-Length is wrong',
  );
}

/** Sends one HTTP/1.1 request; resolves at the end of the response, or at the head of a 101. */
export const requestHttp: Client = (request, sink, signal) =>
  new Promise((resolve, reject) => {
    const outgoing = open(request);
    let connected = false;
    let response: IncomingMessage | null = null;
    const finish = (failure: unknown): void => {
      signal.removeEventListener('abort', onAbort);
      outgoing.destroy();
      if (failure === null) resolve();
      else reject(failure);
    };
    const onAbort = (): void => {
      finish(signal.reason);
    };
    signal.addEventListener('abort', onAbort);
    outgoing.on('socket', (socket) => {
      socket.once('connect', () => {
        connected = true;
      });
    });
    outgoing.on('error', (error) => {
      // Bytes past the end of a whole response are an error of the parser; the response itself still gets its 'end'.
      if (response?.complete === true)
        sink.onWarning(`the daemon sent bytes after the response; nginx drops them`);
      else finish(failureOf(error, request, connected));
    });
    outgoing.on('upgrade', (message) => {
      sink.onHead(headOf(message));
      finish(null);
    });
    outgoing.on('response', (message) => {
      response = message;
      relay(message, sink, finish);
    });
    outgoing.end(request.body.length > 0 ? request.body : undefined);
  });

function relay(message: IncomingMessage, sink: ResponseSink, finish: (failure: unknown) => void): void {
  const head = headOf(message);
  let received = 0;
  sink.onHead(head);
  message.on('data', (chunk: Buffer) => {
    received += chunk.length;
    sink.onBody(chunk);
  });
  message.on('end', () => {
    finish(null);
  });
  message.on('error', () => {
    finish(truncated(received, head));
  });
}
