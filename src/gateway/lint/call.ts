// One call of a linted application: what was answered, how many bytes and items went by, and which lint stands around
// it. The rules that need such a memory stand here: 34, 42, 43, 46, 47, 50 and 53.
import type { Environ, HeaderList, StartResponse, WriteCallable } from '../contract.ts';
import { fail, shown } from './report.ts';
import type { Warn } from './report.ts';
import {
  checkEntity,
  checkHeaders,
  checkStartArguments,
  checkStatus,
  isBodyless,
} from './response-checks.ts';

/** Where a lint leaves its call for the next one further in. A copied environ carries it along. */
const CALL_KEY = 'viaduct.lint';

// The state is private so that an application which prints its environ as JSON gets an empty object for CALL_KEY.
export class LintCall {
  readonly warn: Warn;
  readonly #layer: object;
  readonly #outer: LintCall | null;
  readonly #isHead: boolean;
  #inner: LintCall | null = null;
  #startCalled = false;
  #code = 0;
  #declared = -1;
  #sent = 0;
  #items = 0;
  #pulled = 0;
  #warnedOfHead = false;
  #warnedOfWait = false;

  /** `layer` stands for the lint itself, the same object for all its calls. */
  constructor(environ: Environ, layer: object, warn: Warn) {
    this.warn = warn;
    this.#layer = layer;
    this.#isHead = environ.REQUEST_METHOD === 'HEAD';
    this.#outer = LintCall.#around(environ[CALL_KEY], layer);
    if (this.#outer !== null) {
      this.#outer.#inner = this;
    }
    environ[CALL_KEY] = this;
  }

  /**
   * The call around a new one of `layer`. A middleware may call its application twice with one environ, which then
   * still names the first call: that one is a sister, and what stood around it stands around the new call too.
   */
  static #around(latest: unknown, layer: object): LintCall | null {
    if (!(latest instanceof LintCall)) {
      return null;
    }
    for (let call: LintCall | null = latest; call !== null; call = call.#outer) {
      if (call.#layer === layer) {
        return call.#outer;
      }
    }
    return latest;
  }

  /** The startResponse for the application: rules 19 to 34 and 50. */
  wrapStart(start: StartResponse): StartResponse {
    return (...args: unknown[]): WriteCallable => {
      // before any check: the second call needs excInfo even where the first one failed
      const isFirst = !this.#startCalled;
      this.#startCalled = true;
      checkStartArguments(args);
      const [status, headers, excInfo] = args;
      if (!isFirst && (excInfo === null || excInfo === undefined)) {
        fail(50, 'startResponse must be given excInfo when it is called again, found none');
      }
      checkStatus(status, this.warn);
      checkHeaders(headers, this.warn);
      const code = Number(status.slice(0, 3));
      const declared = checkEntity(code, headers);
      const write = callStart(start, status, headers, excInfo);
      this.#code = code;
      this.#declared = declared;
      return this.#wrapWrite(write);
    };
  }

  // Fails by throwing, not through the promise: not awaiting write() is legal, and a rejection nobody sees ends Node.
  #wrapWrite(write: WriteCallable): WriteCallable {
    return (chunk: unknown) => {
      if (!(chunk instanceof Uint8Array)) {
        fail(34, `write() must be given a Uint8Array, found ${shown(chunk)}`);
      }
      this.#count(chunk.length);
      return write(chunk);
    };
  }

  /** Before the next item of an iterable is asked for: rule 53 while it happens. */
  beforePull(): void {
    // One item may be read ahead of those passed on. Two mean that the middleware waits for more before it yields.
    if (this.#outer !== null && this.#pulled > this.#outer.#items + 1) {
      this.#outer.#warnOfWait(this);
    }
  }

  /** An item that had to be waited for: rules 42, 43, 46 and 47. */
  takePulled(item: unknown): asserts item is Uint8Array {
    this.#pulled++;
    this.takeItem(item);
  }

  /** An item of an Array, which is there with all the others: rules 42, 43, 46 and 47. */
  takeItem(item: unknown): asserts item is Uint8Array {
    if (!(item instanceof Uint8Array)) {
      fail(42, `each item of a body must be a Uint8Array, found ${shown(item)}`);
    }
    if (this.#code === 0) {
      fail(43, 'startResponse must be called before the first item of the body is out, it was not');
    }
    this.#items++;
    this.#count(item.length);
  }

  /** The body gave its last item by itself: rules 43, 46 and 53. */
  takeEnd(): void {
    if (this.#code === 0) {
      fail(43, 'startResponse must be called before the body ends, it was not');
    }
    if (!this.#isHead && !isBodyless(this.#code) && this.#sent < this.#declared) {
      fail(46, `Content-Length is ${this.#declared}, the body ended after ${this.#sent} bytes`);
    }
    if (this.#inner !== null && this.#inner.#pulled > this.#items) {
      this.#warnOfWait(this.#inner);
    }
  }

  #count(bytes: number): void {
    if (bytes === 0) {
      return;
    }
    if (isBodyless(this.#code)) {
      fail(47, `a response with status ${this.#code} must have no body, found ${bytes} bytes`);
    }
    if (this.#isHead) {
      this.#noteHeadBody(bytes);
      return;
    }
    this.#sent += bytes;
    if (this.#declared !== -1 && this.#sent > this.#declared) {
      fail(46, `Content-Length is ${this.#declared}, the body has at least ${this.#sent} bytes`);
    }
  }

  /** Only told, not refused: PEP 3333 lets an application treat HEAD as GET, and the gateway drops the bytes. */
  #noteHeadBody(bytes: number): void {
    if (!this.#warnedOfHead) {
      this.#warnedOfHead = true;
      this.warn(47, `a response to HEAD should have no body, found ${bytes} bytes`);
    }
  }

  #warnOfWait(inner: LintCall): void {
    if (!this.#warnedOfWait) {
      this.#warnedOfWait = true;
      const counts = `took ${inner.#pulled} items and yielded ${this.#items}`;
      this.warn(53, `a middleware must yield at least one item for each it takes, the one here ${counts}`);
    }
  }
}

function callStart(
  start: StartResponse,
  status: string,
  headers: HeaderList,
  excInfo: Error | null | undefined,
): WriteCallable {
  return excInfo === undefined ? start(status, headers) : start(status, headers, excInfo);
}
