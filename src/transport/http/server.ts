// HTTP/1.1 by node:http: for development, for health checks, and behind proxy_pass. It listens on nothing; connections are given to it.
import type { Buffer } from 'node:buffer';
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ProtocolError } from '../../protocol/errors.ts';
import type { OpenConnection, TransportContext } from '../context.ts';
import type { Timed } from '../timeouts.ts';
import { HttpConnection } from './connection.ts';
import { HttpExchange } from './exchange.ts';
import { hasBody, responseTo, UpgradeExchange, withoutUpgrade } from './upgrade.ts';

const PROTOCOL = 'http';

interface Adopted {
  readonly connection: HttpConnection;
  readonly context: TransportContext;
}

export class HttpServer {
  readonly #server: Server;
  readonly #adopted = new WeakMap<Duplex, Adopted>();
  readonly #maxParams: number;

  constructor(maxHeadSize: number, maxParams: number) {
    this.#maxParams = maxParams;
    const options = {
      maxHeaderSize: maxHeadSize,
      keepAliveTimeout: 0,
      requestTimeout: 0,
      headersTimeout: 0,
      // From Node 22.21 and 24.9 on; before, such requests come to #upgrade() as well.
      shouldUpgradeCallback: (request: IncomingMessage): boolean => !hasBody(request),
    };
    this.#server = createServer(options);
    // Beyond maxHeadersCount node:http drops headers without a word; the count is checked here, and answered.
    this.#server.maxHeadersCount = 0;
    this.#server.timeout = 0;
    // Without a listener node:http destroys an idle connection once the send timeout of its last response is over.
    this.#server.on('timeout', () => undefined);
    this.#server.on('request', (request, response) => this.#handle(request, response));
    this.#server.on('upgrade', (request, _socket, head) => this.#upgrade(request, head));
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
      this.#clientError(error, socket),
    );
  }

  /** Takes over an accepted connection; `first` is what was already read from it. */
  adopt(socket: Socket, context: TransportContext, first: Buffer | null): OpenConnection {
    const connection = new HttpConnection(socket, context, first?.length ?? 0);
    this.#adopted.set(socket, { connection, context });
    if (first !== null) socket.unshift(first);
    this.#server.emit('connection', socket);
    return connection;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const adopted = this.#adopted.get(request.socket);
    if (adopted === undefined) return;
    const { connection, context } = adopted;
    if (connection.closing) {
      // It crossed our FIN on the way: nothing can answer it, so nobody may run it.
      request.resume();
      return;
    }
    response.shouldKeepAlive &&= connection.reusable;
    const exchange = new HttpExchange(request, response, context.timeouts.send);
    this.#run(adopted, request, response, exchange, exchange.body);
  }

  /** Told of every request with `Connection: upgrade` and an Upgrade header, of curl's for h2c say. */
  #upgrade(request: IncomingMessage, head: Buffer): void {
    const { socket } = request;
    const adopted = this.#adopted.get(socket);
    if (adopted === undefined) return;
    const { connection, context } = adopted;
    if (connection.closing || !connection.resting) {
      // Behind a request that is not answered yet it cannot be answered either: the client has to send it again.
      connection.serveOnce();
      socket.resume();
    } else if (hasBody(request)) {
      socket.unshift(withoutUpgrade(request, head));
      this.#server.emit('connection', socket);
    } else {
      const response = responseTo(request);
      const exchange = new UpgradeExchange(request, response, head, context.timeouts.send);
      response.once('finish', () => {
        exchange.answered();
        connection.finish();
        response.emit('close');
      });
      this.#run(adopted, request, response, exchange, exchange);
    }
  }

  #run(
    { connection, context }: Adopted,
    request: IncomingMessage,
    response: ServerResponse,
    exchange: HttpExchange,
    timed: Timed,
  ): void {
    connection.began(request, response);
    context.ticker.add(timed);
    response.once('close', () => {
      context.ticker.delete(timed);
      connection.ended(response);
      if (!connection.reusable) connection.drain();
    });
    const count = request.rawHeaders.length / 2;
    if (count > this.#maxParams) {
      const what = `Cannot take request: ${count} headers, limits.params_count is ${this.#maxParams}`;
      context.report(new ProtocolError('ERR_PARAMS_COUNT', what), PROTOCOL);
      exchange.reject(431);
    } else {
      context.handle(exchange);
    }
  }

  #clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const adopted = this.#adopted.get(socket);
    // An end inside a body is a client that left, as a reset is; the exchange hears of both from the socket.
    const hasLeft =
      error.code === 'ECONNRESET' ||
      error.code === 'EPIPE' ||
      (error.code === 'HPE_INVALID_EOF_STATE' && adopted?.connection.inBody === true);
    if (hasLeft || adopted === undefined) {
      socket.destroy();
      return;
    }
    const { connection, context } = adopted;
    // What follows a first error, and is being dropped.
    if (connection.closing) return;
    const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
    const status = tooLarge ? 431 : 400;
    const what = `Cannot read HTTP request: ${error.message}`;
    context.report(new ProtocolError(tooLarge ? 'ERR_PARAMS_SIZE' : 'ERR_HTTP_REQUEST', what), PROTOCOL);
    if (connection.responding) {
      socket.destroy();
      return;
    }
    connection.finish(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    );
  }
}
