// The application's result with a watch on it: rules 2, 3, 41, 44, 45 and 54; each item goes past call.ts.
// An Array stays an Array, a sync iterable stays sync, an async one async: the gateway treats them differently.
import type { Body } from '../contract.ts';
import type { LintCall } from './call.ts';
import { fail, shown } from './report.ts';
import type { Warn } from './report.ts';
import { missingMethod } from './text.ts';

const END = { done: true, value: undefined } as const;

/**
 * Checks a result and puts a watch on it. A refused result is closed here: nobody further out ever sees it.
 * @throws {LintError} rules 2 and 3; for an Array, whose items are all there, also 42, 43, 46 and 47
 */
export function wrapBody(result: unknown, call: LintCall): Body {
  checkResult(result);
  const closing = new Closing(result, call.warn);
  const wrapped = Array.isArray(result)
    ? lintArray(result, closing, call)
    : Symbol.asyncIterator in result
      ? new LintAsyncBody(result, closing, call)
      : new LintBody(result, closing, call);
  unclosed.register(wrapped, call.warn, closing);
  return wrapped;
}

function checkResult(result: unknown): asserts result is Body {
  if (typeof result === 'string' || ArrayBuffer.isView(result)) {
    fail(
      3,
      `the result must be an iterable of Uint8Arrays, found ${shown(result)} itself; return it in an Array`,
    );
  }
  const isIterable =
    missingMethod(result, [Symbol.asyncIterator]) === null ||
    missingMethod(result, [Symbol.iterator]) === null;
  if (!isIterable) {
    fail(2, `the result must be an iterable or async iterable of Uint8Arrays, found ${shown(result)}`);
  }
}

/** Rule 44, for a body that the garbage collector took. Exported for its test: nobody can order a collection. */
export function reportUnclosed(warn: Warn): void {
  try {
    warn(44, 'a body must be closed, it was forgotten without close()');
  } catch {
    // Nobody stands above a finalizer: what escapes here would end the process for a mere warning.
  }
}

const unclosed = new FinalizationRegistry<Warn>(reportUnclosed);

/** Closes the application's body once, however it is asked to. */
class Closing {
  readonly #body: Body;
  readonly #warn: Warn;
  #closed = false;
  #iterated = false;

  constructor(body: Body, warn: Warn) {
    this.#body = body;
    this.#warn = warn;
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void | PromiseLike<void> {
    if (this.#closed) {
      fail(54, 'a body must be closed once, close() was called again');
    }
    this.#closed = true;
    unclosed.unregister(this);
    return this.#body.close?.();
  }

  /** Rule 45, as an iterator of the body is made. */
  noteIteration(): void {
    if (this.#iterated) {
      this.#warn(45, 'a body must be iterated once, an iterator was asked for again');
    }
    this.#iterated = true;
  }

  /** Rule 41, as an iterator is advanced. */
  checkAdvance(returned: boolean): void {
    if (this.#closed || returned) {
      fail(
        41,
        `a body must not be advanced after ${this.#closed ? 'close()' : 'return()'}, next() was called`,
      );
    }
  }
}

function lintArray(items: readonly unknown[], closing: Closing, call: LintCall): Body {
  const checked: Uint8Array[] = [];
  try {
    for (const item of items) {
      call.takeItem(item);
      checked.push(item);
    }
    call.takeEnd();
  } catch (error) {
    closeQuietly(closing);
    throw error;
  }
  return Object.defineProperty(checked, 'close', {
    value: () => closing.close(),
    configurable: true,
    writable: true,
  });
}

/** For a body that is given up for another error, which is the one to tell. */
function closeQuietly(closing: Closing): void {
  try {
    void Promise.resolve(closing.close()).catch(() => {});
  } catch {
    // as above
  }
}

class LintBody implements Iterable<Uint8Array> {
  readonly #body: Iterable<unknown>;
  readonly #closing: Closing;
  readonly #call: LintCall;

  constructor(body: Iterable<unknown>, closing: Closing, call: LintCall) {
    this.#body = body;
    this.#closing = closing;
    this.#call = call;
  }

  [Symbol.iterator](): Iterator<Uint8Array, undefined> {
    this.#closing.noteIteration();
    return new LintIterator(this.#body[Symbol.iterator](), this.#closing, this.#call);
  }

  close(): void | PromiseLike<void> {
    return this.#closing.close();
  }
}

class LintIterator implements Iterator<Uint8Array, undefined> {
  readonly #inner: Iterator<unknown>;
  readonly #closing: Closing;
  readonly #call: LintCall;
  #ended = false;
  #returned = false;

  constructor(inner: Iterator<unknown>, closing: Closing, call: LintCall) {
    this.#inner = inner;
    this.#closing = closing;
    this.#call = call;
  }

  next(): IteratorResult<Uint8Array, undefined> {
    this.#closing.checkAdvance(this.#returned);
    if (this.#ended) {
      return END;
    }
    this.#call.beforePull();
    const step = this.#inner.next();
    if (step.done === true) {
      this.#ended = true;
      this.#call.takeEnd();
      return END;
    }
    const item = step.value;
    try {
      this.#call.takePulled(item);
    } catch (error) {
      this.#giveUp();
      throw error;
    }
    return { done: false, value: item };
  }

  return(): IteratorResult<Uint8Array, undefined> {
    if (!this.#returned) {
      this.#returned = true;
      if (!this.#ended) {
        this.#inner.return?.();
      }
    }
    return END;
  }

  /** Whoever sees next() throw takes the iterator for finished, but the application's generator still waits in its yield. */
  #giveUp(): void {
    this.#ended = true;
    try {
      this.#inner.return?.();
    } catch {
      // the broken rule is the one to tell
    }
  }
}

class LintAsyncBody implements AsyncIterable<Uint8Array> {
  readonly #body: AsyncIterable<unknown>;
  readonly #closing: Closing;
  readonly #call: LintCall;

  constructor(body: AsyncIterable<unknown>, closing: Closing, call: LintCall) {
    this.#body = body;
    this.#closing = closing;
    this.#call = call;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    this.#closing.noteIteration();
    return new LintAsyncIterator(this.#body[Symbol.asyncIterator](), this.#closing, this.#call);
  }

  close(): void | PromiseLike<void> {
    return this.#closing.close();
  }
}

// No async generator: its return() would wait behind a next() that is still under way.
class LintAsyncIterator implements AsyncIterator<Uint8Array, undefined> {
  readonly #inner: AsyncIterator<unknown>;
  readonly #closing: Closing;
  readonly #call: LintCall;
  #ended = false;
  #returned = false;

  constructor(inner: AsyncIterator<unknown>, closing: Closing, call: LintCall) {
    this.#inner = inner;
    this.#closing = closing;
    this.#call = call;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#closing.checkAdvance(this.#returned);
    if (this.#ended) {
      return END;
    }
    this.#call.beforePull();
    const step = await this.#inner.next();
    if (this.#returned || this.#closing.closed) {
      // given up while under way: nobody takes the item any more
      return END;
    }
    if (step.done === true) {
      this.#ended = true;
      this.#call.takeEnd();
      return END;
    }
    const item = step.value;
    try {
      this.#call.takePulled(item);
    } catch (error) {
      await this.#giveUp();
      throw error;
    }
    return { done: false, value: item };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (!this.#returned) {
      this.#returned = true;
      if (!this.#ended) {
        await this.#inner.return?.();
      }
    }
    return END;
  }

  /** As in LintIterator. */
  async #giveUp(): Promise<void> {
    this.#ended = true;
    try {
      await this.#inner.return?.();
    } catch {
      // the broken rule is the one to tell
    }
  }
}
