// A stream that passes for a socket of node:net: what node:http and apps ask of one beyond a stream.
import { Duplex } from 'node:stream';
import { IdleTimer } from './idle-timer.ts';

export abstract class DuplexSocket extends Duplex {
  timeout = 0;
  /** To be touched whenever bytes come or go, and stopped at the end. */
  protected readonly idle: IdleTimer = new IdleTimer(() => this.emit('timeout'));

  setTimeout(milliseconds: number, callback?: () => void): this {
    this.timeout = milliseconds;
    this.idle.set(milliseconds);
    if (callback !== undefined) {
      if (milliseconds > 0) this.once('timeout', callback);
      else this.off('timeout', callback);
    }
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}
