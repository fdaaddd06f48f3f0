// Promise.withResolvers() for Node 20, which does not have it yet.

export interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

const noop = (): void => undefined;

export function withResolvers(): Deferred {
  let resolve = noop;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
