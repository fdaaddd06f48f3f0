// What is thrown where an app or a middleware cannot be loaded.

/** An app or a middleware could not be loaded. `cause` is what its own code threw, if it did. */
export class LoadError extends Error {
  override readonly name = 'LoadError';
  readonly code = 'ERR_APP_LOAD';
}
