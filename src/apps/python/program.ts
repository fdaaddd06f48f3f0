// Where worker.py is. The compiler does not copy it: it is run from the sources, which the package ships.
import { fileURLToPath } from 'node:url';

/** The Python side of a lane and of the control channel, for any interpreter from 3.8 on. */
export const PROGRAM: string = fileURLToPath(
  new URL('../../../../src/apps/python/worker.py', import.meta.url),
);
