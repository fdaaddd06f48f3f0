// Fresh numbers before a page is made, for as long as a page can wait. May not know where they come from.

/** Milliseconds a page waits; a scrape has to be answered within 100, whatever the workers do. */
export const REFRESH_LIMIT = 50;

/**
 * A function that calls `refresh` and resolves when it is done, or after REFRESH_LIMIT. It never rejects: what goes
 * wrong is told to `onError`. Calls while one is waiting share it.
 */
export function sharedRefresh(
  refresh: () => Promise<void>,
  onError: (error: unknown) => void,
): () => Promise<void> {
  let waiting: Promise<void> | null = null;
  return () =>
    (waiting ??= withinLimit(attempt(refresh, onError)).finally(() => {
      waiting = null;
    }));
}

async function attempt(refresh: () => Promise<void>, onError: (error: unknown) => void): Promise<void> {
  try {
    await refresh();
  } catch (error) {
    onError(error);
  }
}

async function withinLimit(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, REFRESH_LIMIT);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
