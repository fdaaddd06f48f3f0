// viaduct:lint, the middleware that holds both sides to the gateway contract while an application is being written.
// It stands between a server and an application and knows neither; the rules are listed in lint/rules.ts.
import type { Application, Body, Middleware, StartResponse } from './contract.ts';
import { wrapBody } from './lint/body.ts';
import { LintCall } from './lint/call.ts';
import { checkEnviron, warnAboutEnviron } from './lint/environ-checks.ts';
import { LintErrors } from './lint/errors.ts';
import { LintInput } from './lint/input.ts';
import { fail, shown, warnTo } from './lint/report.ts';

export { LintError } from './lint/report.ts';
export { LINT_RULES } from './lint/rules.ts';
export type { LintRule, LintSeverity } from './lint/rules.ts';

export interface LintOptions {
  /** Told of each warning, besides wsgi.errors: the number of the rule and what was found. */
  onWarning?: (rule: number, message: string) => void;
}

/**
 * Checks every call of `app`, in both directions, against the 55 rules of LINT_RULES (PEP 3333 in JavaScript form).
 * The environ object, the body's kind (Array, sync or async iterable) and every close() are passed on as they came.
 * @throws {LintError} code ERR_LINT, from whichever call broke a rule
 */
export const lint: Middleware<LintOptions> = (app, options = {}) => {
  const layer = {};
  const linted = (...args: unknown[]): Body | PromiseLike<Body> => {
    if (args.length !== 2) {
      fail(1, `the application must be called with 2 arguments, found ${args.length}`);
    }
    const [environ, startResponse] = args;
    if (!isStartResponse(startResponse)) {
      fail(1, `the application must be called with a startResponse function, found ${shown(startResponse)}`);
    }
    checkEnviron(environ);
    const warn = warnTo(environ['wsgi.errors'], options.onWarning);
    warnAboutEnviron(environ, warn);
    const call = new LintCall(environ, layer, warn);
    environ['wsgi.input'] = new LintInput(environ['wsgi.input'], warn);
    environ['wsgi.errors'] = new LintErrors(environ['wsgi.errors']);
    return watchResult(app(environ, call.wrapStart(startResponse)), call);
  };
  return linted satisfies Application;
};

function isStartResponse(value: unknown): value is StartResponse {
  return typeof value === 'function';
}

/** Null and the like are refused by wrapBody; here they only must not be asked for then(). */
function watchResult(result: Body | PromiseLike<Body>, call: LintCall): Body | PromiseLike<Body> {
  return isThenable(result)
    ? Promise.resolve(result).then((body) => wrapBody(body, call))
    : wrapBody(result, call);
}

function isThenable(value: unknown): value is PromiseLike<Body> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
