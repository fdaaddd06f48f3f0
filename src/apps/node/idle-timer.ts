// The timer behind socket.setTimeout(): it fires when nothing came or went for a while.

export class IdleTimer {
  readonly #fired: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(fired: () => void) {
    this.#fired = fired;
  }

  /** Starts it anew; 0 stops it. */
  set(milliseconds: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = milliseconds > 0 ? setTimeout(this.#fired, milliseconds).unref() : null;
  }

  /** Something came or went. */
  touch(): void {
    this.#timer?.refresh();
  }
}
