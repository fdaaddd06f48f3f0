// From what a file exports to a gateway application: those that are one already.
import type { Application } from '../../gateway/contract.ts';
import { isThenable } from '../../gateway/iteration.ts';
import { unusable } from '../found.ts';
import { nodeFramework } from '../frameworks.ts';
import { isClass, isListener } from '../functions.ts';

/**
 * @param place the reference, for messages
 * @throws {LoadError}
 */
export function adaptWsgi(found: unknown, place: string): Application {
  if (typeof found !== 'function' || isClass(found) || nodeFramework(found) !== null) {
    throw unusable(found, { place, wanted: 'a gateway application (environ, startResponse)', kind: 'wsgi' });
  }
  return isListener(found) ? hinting(found as Application, place) : (found as Application);
}

/** Names of parameters prove nothing. When such an app fails by its types, they are the most likely reason. */
function hinting(app: Application, place: string): Application {
  const hinted = (error: unknown): unknown =>
    error instanceof TypeError
      ? new TypeError(
          `${error.message}; ${place} looks like a (req, res) function: set "interface: node" on its mount`,
          { cause: error },
        )
      : error;
  return (environ, startResponse) => {
    try {
      const returned = app(environ, startResponse);
      return isThenable(returned)
        ? Promise.resolve(returned).catch((error: unknown) => {
            throw hinted(error);
          })
        : returned;
    } catch (error) {
      throw hinted(error);
    }
  };
}
