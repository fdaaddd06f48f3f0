// Runs one application and pulls its body into the response: the calling rules of PEP 3333 in an event loop.
// It does not know what a failure means for the client; its owner does.
import type { Application, Body, Environ } from './contract.ts';
import { GatewayError } from './errors.ts';
import type { Exchange } from './exchange.ts';
import {
  type AnyIterator,
  checkChunk,
  checkResult,
  closeBody,
  isThenable,
  RETURN_LIMIT,
} from './iteration.ts';
import { LateBody } from './late-body.ts';
import type { Response } from './response.ts';

export interface DeliveryOwner {
  /** The response has ended. */
  delivered(): void;
  /** The application, its body or wsgi.input failed. */
  failed(error: unknown): void;
  /** close() or return() failed; the response is not touched by it. */
  closeFailed(error: unknown): void;
  /** After stop(): the application is done with the request. */
  left(): void;
}

export class Delivery {
  readonly #exchange: Exchange;
  readonly #response: Response;
  readonly #owner: DeliveryOwner;
  /** The application was called and has not returned its body yet. */
  #inApp = false;
  #body: Body | null = null;
  /** Set while the iteration is neither exhausted nor failed. */
  #iterator: AnyIterator | null = null;
  #stopped = false;
  #hasLeft = false;

  constructor(exchange: Exchange, response: Response, owner: DeliveryOwner) {
    this.#exchange = exchange;
    this.#response = response;
    this.#owner = owner;
  }

  start(app: Application, environ: Environ): void {
    this.#inApp = true;
    let result: unknown;
    try {
      result = app(environ, this.#response.startResponse);
    } catch (error) {
      this.#rejected(error);
      return;
    }
    if (result instanceof LateBody) {
      result.listen(
        (body) => this.#returned(body),
        (error) => this.#rejected(error),
      );
      return;
    }
    if (!isThenable(result)) {
      this.#returned(result);
      return;
    }
    Promise.resolve(result).then(
      (body) => this.#returned(body),
      (error: unknown) => this.#rejected(error),
    );
  }

  /** Whatever the application still does is not wanted any more: its body is closed, exactly once. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#inApp) setTimeout(() => this.#leave(), RETURN_LIMIT).unref();
    else this.#close(this.#body, this.#iterator);
  }

  #returned(result: unknown): void {
    this.#inApp = false;
    if (!this.#stopped) {
      this.#take(result);
      return;
    }
    // Never iterated, but still to be closed.
    try {
      this.#close(checkResult(result), null);
    } catch (error) {
      this.#owner.closeFailed(error);
      this.#leave();
    }
  }

  #rejected(error: unknown): void {
    this.#inApp = false;
    if (this.#stopped) this.#leave();
    else this.#owner.failed(error);
  }

  #close(body: Body | null, iterator: AnyIterator | null): void {
    const closing =
      body === null ? undefined : closeBody(body, iterator, (error) => this.#owner.closeFailed(error));
    if (closing === undefined) this.#leave();
    else void closing.then(() => this.#leave());
  }

  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#owner.left();
  }

  #take(result: unknown): void {
    try {
      const body = checkResult(result);
      this.#body = body;
      // Nobody wants it any more; it is closed with the tunnel.
      if (this.#response.upgraded) return;
      if (Array.isArray(body)) {
        this.#sendArray(body);
      } else if (Symbol.asyncIterator in body) {
        const iterator = body[Symbol.asyncIterator]();
        this.#iterator = iterator;
        void this.#pumpAsync(iterator);
      } else {
        const iterator = body[Symbol.iterator]();
        this.#iterator = iterator;
        this.#pumpSync(iterator);
      }
    } catch (error) {
      this.#owner.failed(error);
    }
  }

  #sendArray(chunks: readonly unknown[]): void {
    for (const chunk of chunks) checkChunk(chunk);
    this.#requireStarted();
    this.#response.sendAll(chunks as readonly Uint8Array[]);
    this.#owner.delivered();
  }

  #pumpSync(iterator: Iterator<unknown>): void {
    for (;;) {
      let step: IteratorResult<unknown>;
      try {
        step = iterator.next();
      } catch (error) {
        this.#iterator = null;
        this.#owner.failed(error);
        return;
      }
      const next = this.#stopped ? 'stop' : this.#advance(step);
      if (next === 'stop') return;
      if (next === 'wait') {
        void this.#exchange.drained().then(() => this.#stopped || this.#pumpSync(iterator));
        return;
      }
    }
  }

  async #pumpAsync(iterator: AsyncIterator<unknown>): Promise<void> {
    for (;;) {
      let step: IteratorResult<unknown>;
      try {
        step = await iterator.next();
      } catch (error) {
        this.#iterator = null;
        // Once stopped, this is most often the application's answer to its aborted signal.
        if (!this.#stopped) this.#owner.failed(error);
        return;
      }
      const next = this.#stopped ? 'stop' : this.#advance(step);
      if (next === 'stop') return;
      if (next === 'wait') await this.#exchange.drained();
      if (this.#stopped) return;
    }
  }

  /** What one step of the iteration means for the response, and what to do next. */
  #advance(step: IteratorResult<unknown>): 'go' | 'wait' | 'stop' {
    try {
      if (step.done === true) this.#iterator = null;
      if (this.#response.upgraded) return 'stop';
      if (step.done === true) return this.#finish();
      const chunk = step.value;
      checkChunk(chunk);
      if (chunk.length === 0) return 'go';
      this.#requireStarted();
      const below = this.#response.send(chunk);
      if (this.#response.isFull) return this.#finish();
      if (this.#stopped) return 'stop';
      return below ? 'go' : 'wait';
    } catch (error) {
      this.#owner.failed(error);
      return 'stop';
    }
  }

  #finish(): 'stop' {
    this.#requireStarted();
    this.#response.finish();
    this.#owner.delivered();
    return 'stop';
  }

  #requireStarted(): void {
    if (this.#response.started) return;
    throw new GatewayError(
      'ERR_GATEWAY_NOT_STARTED',
      'Cannot send body: the application did not call startResponse with a valid status',
    );
  }
}
