// Who has to hear of a request that is aborted. An AbortSignal with a listener costs 3 us, and most handlers answer within
// the same turn of the event loop: only those that have not done so by its end get one.

export interface Watching {
  /** Listens to the signal, if it still matters. */
  watch(): void;
}

const fresh: Watching[] = [];

export function watch(one: Watching): void {
  if (fresh.push(one) === 1) setImmediate(watchAll);
}

function watchAll(): void {
  for (const one of fresh.splice(0)) one.watch();
}
