// Puts classes of ours in the place of Request, Response and fetch, for all code of the process: an app's `new Response('text')`
// becomes a light one, and the platform's functions take our requests. Both sides of `instanceof` stay right.
import { nativeFetch, NativeRequest, NativeResponse } from './natives.ts';
import { LazyRequest } from './request.ts';
import { lightJson, lightResponse } from './response.ts';

/** Frameworks keep what they find when they are imported: to be called before that. More than once does no harm. */
export function installGlobals(): void {
  for (const [name, value] of [
    ['Request', FastRequest],
    ['Response', FastResponse],
    ['fetch', fastFetch],
  ] as const) {
    const enumerable = Object.getOwnPropertyDescriptor(globalThis, name)?.enumerable ?? false;
    Object.defineProperty(globalThis, name, { value, writable: true, enumerable, configurable: true });
  }
  NativeRequest.prototype.constructor = FastRequest;
  NativeResponse.prototype.constructor = FastResponse;
}

const nativeJson = Reflect.get(NativeResponse, 'json') as (...args: unknown[]) => object;

/** The platform's own, but for a request of ours as its first argument. */
export const FastRequest: typeof NativeRequest = new Proxy(NativeRequest, {
  construct: (target, [input, ...rest]: unknown[], newTarget) =>
    Reflect.construct(target, [LazyRequest.toNative(input), ...rest], newTarget) as object,
});

/**
 * A function that gives what others have made: its `prototype` is the platform's, so every response is an instance of
 * it. A subclass gets a real one of the platform's, in which its own methods find all they may look for.
 */
function Response(this: unknown, ...args: unknown[]): object {
  if (new.target === undefined)
    throw new TypeError("Class constructor Response cannot be invoked without 'new'");
  const target = new.target as unknown;
  const light = target === Response ? lightResponse(args[0], args[1]) : null;
  return (
    light ??
    (Reflect.construct(NativeResponse, args, target === Response ? NativeResponse : new.target) as object)
  );
}
Object.setPrototypeOf(Response, NativeResponse);
Object.defineProperty(Response, 'prototype', { value: NativeResponse.prototype, writable: false });
Object.defineProperty(Response, 'length', { value: 0 });
Object.defineProperty(Response, 'json', {
  value: function json(...args: unknown[]): object {
    const light = args.length === 1 ? lightJson(args[0]) : null;
    return light ?? Reflect.apply(nativeJson, NativeResponse, args);
  },
  writable: true,
  enumerable: true,
  configurable: true,
});
export const FastResponse = Response as unknown as typeof NativeResponse;

export const fastFetch = function fetch(
  ...[input, init]: Parameters<typeof nativeFetch>
): ReturnType<typeof nativeFetch> {
  return nativeFetch(LazyRequest.toNative(input), init);
} as typeof nativeFetch;
