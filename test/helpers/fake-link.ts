// The connection below a tunnel, in memory: what was asked of it, and a mark that the test sets.
import { Buffer } from 'node:buffer';
import type { TunnelLink } from '../../src/transport/tunnel.ts';

export class FakeLink implements TunnelLink {
  /** In order: "write abc|def", "end", "pause", "resume", "destroy". */
  readonly asked: string[] = [];
  blocked = false;
  #waiters: (() => void)[] = [];

  write(parts: readonly Uint8Array[]): boolean {
    this.asked.push(`write ${parts.map((part) => Buffer.from(part).toString('latin1')).join('|')}`);
    return !this.blocked;
  }

  drained(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Below the mark again. */
  drain(): void {
    this.blocked = false;
    for (const wake of this.#waiters.splice(0)) wake();
  }

  end(done: () => void): void {
    this.asked.push('end');
    done();
  }

  pause(): void {
    this.asked.push('pause');
  }

  resume(): void {
    this.asked.push('resume');
  }

  destroy(): void {
    this.asked.push('destroy');
  }
}
