// setTimeout under the test's control, for limits of seconds that a test will not wait for. Nothing fires by itself.

export interface FakeTimer {
  /** Milliseconds. */
  readonly delay: number;
  /** False once it was unref'd: it does not keep the process alive. */
  holds: boolean;
  cleared: boolean;
  fire(): void;
}

/** Runs `use` with setTimeout and clearTimeout replaced; `timers` fills as they are set. */
export async function withFakeTimers(use: (timers: readonly FakeTimer[]) => Promise<void>): Promise<void> {
  const { setTimeout: realSet, clearTimeout: realClear } = globalThis;
  const timers: FakeTimer[] = [];
  const set = (callback: () => void, delay: number): object => {
    const timer = Object.assign(
      { delay, holds: true, cleared: false, fire: callback },
      { unref: () => timer },
    );
    timer.unref = () => Object.assign(timer, { holds: false });
    timers.push(timer);
    return timer;
  };
  Object.assign(globalThis, {
    setTimeout: set,
    clearTimeout: (timer: FakeTimer) => void (timer.cleared = true),
  });
  try {
    await use(timers);
  } finally {
    Object.assign(globalThis, { setTimeout: realSet, clearTimeout: realClear });
  }
}
