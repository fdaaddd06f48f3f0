// The platform's own classes of fetch, taken before globals.ts puts others in their place.

export const NativeHeaders: typeof Headers = globalThis.Headers;
export const NativeRequest: typeof Request = globalThis.Request;
export const NativeResponse: typeof Response = globalThis.Response;
export const nativeFetch: typeof fetch = globalThis.fetch;

export const INSPECT: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never;

/**
 * Gives `light`, the prototype of a class that stands in for a native one, all that the native has and it has not; so
 * that members of later versions of Node are there, too. `find` gives the object to ask; `instanceof` holds.
 */
export function inherit(light: object, native: object, find: (self: never) => object): void {
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(native))) {
    if (name !== 'constructor' && !Object.hasOwn(light, name))
      Object.defineProperty(light, name, delegate(name, property, find));
  }
  Reflect.deleteProperty(light, 'constructor');
  Object.setPrototypeOf(light, native);
}

function delegate(
  name: string,
  property: PropertyDescriptor,
  find: (self: never) => object,
): PropertyDescriptor {
  const { enumerable = false } = property;
  const shared = { enumerable, configurable: true };
  if (property.get !== undefined) {
    return {
      ...shared,
      get(this: never): unknown {
        return Reflect.get(find(this), name);
      },
    };
  }
  const method = property.value as (...args: unknown[]) => unknown;
  return {
    ...shared,
    writable: true,
    value(this: never, ...args: unknown[]): unknown {
      return Reflect.apply(method, find(this), args);
    },
  };
}
