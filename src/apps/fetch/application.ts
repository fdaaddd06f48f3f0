// The gateway application of a fetch mount: a Request for each environ, and its Response to the gateway.
import type { Application, Environ, StartResponse } from '../../gateway/contract.ts';
import { isThenable } from '../../gateway/iteration.ts';
import { errorPage } from '../../gateway/error-page.ts';
import { answer } from './answer.ts';
import { ExecutionContext } from './context.ts';
import { LazyRequest } from './request.ts';
import { requestUrl } from './request-url.ts';

/** What an app of the fetch kind comes down to. */
export type FetchHandler = (
  request: Request,
  env: Readonly<Record<string, unknown>>,
  context: ExecutionContext,
) => unknown;

/** The platform's Request cannot have these (Fetch Standard, "forbidden method"). */
const FORBIDDEN_METHODS = new Set(['CONNECT', 'TRACE', 'TRACK']);

/** @param env the mount's own values; the app finds them, and the environ, in its second argument */
export function fetchApplication(handler: FetchHandler, env: Readonly<Record<string, string>>): Application {
  return (environ, startResponse) => {
    if (FORBIDDEN_METHODS.has(environ.REQUEST_METHOD)) return refuse(501, environ, startResponse);
    const url = requestUrl(environ);
    if (url === null) {
      environ['wsgi.errors'].write(
        `Refused request with 400: no URL can be made of Host ${JSON.stringify(environ['HTTP_HOST'])} and target ${JSON.stringify(environ['REQUEST_URI'])}\n`,
      );
      return refuse(400, environ, startResponse);
    }
    const request = new LazyRequest(environ, url) as unknown as Request;
    const result = handler(request, { ...env, environ }, new ExecutionContext(environ['wsgi.errors']));
    if (!isThenable(result)) return answer(result, environ, startResponse);
    return result.then((response) => answer(response, environ, startResponse));
  };
}

function refuse(status: number, environ: Environ, startResponse: StartResponse): Uint8Array[] {
  const page = errorPage(status, environ['viaduct.request_id']);
  startResponse(page.status, page.headers);
  return [page.body];
}
