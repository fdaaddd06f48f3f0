// What a transfer costs the daemon: the highest resident memory meanwhile, and processor seconds.
import { cpuSeconds, residentBytes } from '../lib/proc.ts';

const INTERVAL_MS = 50;

export interface Cost {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Bytes before. */
  readonly residentBefore: number;
  /** Bytes, the highest of all samples. */
  readonly residentMax: number;
}

export class Watch {
  readonly #pid: number;
  readonly #startedAt = performance.now();
  readonly #cpuBefore: number;
  readonly #timer: NodeJS.Timeout;
  readonly #residentBefore: number;
  #residentMax: number;

  constructor(pid: number) {
    this.#pid = pid;
    this.#cpuBefore = cpuSeconds(pid);
    this.#residentBefore = residentBytes(pid);
    this.#residentMax = this.#residentBefore;
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
  }

  stop(): Cost {
    clearInterval(this.#timer);
    this.#look();
    return {
      seconds: (performance.now() - this.#startedAt) / 1000,
      cpuSeconds: cpuSeconds(this.#pid) - this.#cpuBefore,
      residentBefore: this.#residentBefore,
      residentMax: this.#residentMax,
    };
  }

  #look(): void {
    this.#residentMax = Math.max(this.#residentMax, residentBytes(this.#pid));
  }
}
