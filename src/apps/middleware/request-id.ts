// viaduct:request-id: one id for a request in the log, in the application and in the response.
import type { RequestIdOptions } from '../../config/middleware-options.ts';
import type { Application, HeaderList, StartResponse } from '../../gateway/contract.ts';
import { environKey } from '../../gateway/environ.ts';
import { isRequestId, requestId } from '../../gateway/request-id.ts';

export function requestIdHeader(app: Application, options: RequestIdOptions): Application {
  const { header, trust, response } = options;
  const lower = header.toLowerCase();
  const key = environKey(header);
  return (environ, startResponse) => {
    const given = environ[key];
    // The gateway has named the request already, after X-Request-ID if that was good.
    const known = trust ? environ['viaduct.request_id'] : requestId(undefined);
    const id = trust && isRequestId(given) ? given : known;
    environ['viaduct.request_id'] = id;
    environ[key] = id;
    return app(environ, response ? answeringWith([header, id], lower, startResponse) : startResponse);
  };
}

/** `startResponse` with one header more, instead of the application's own. */
function answeringWith(
  header: HeaderList[number],
  lower: string,
  startResponse: StartResponse,
): StartResponse {
  return (...args) => {
    const [status, headers, ...rest] = args;
    // What is no list is for the server to refuse.
    if (!Array.isArray(headers)) return startResponse(...args);
    const others = headers.filter((each) => !(Array.isArray(each) && isNamed(each[0], lower)));
    return startResponse(status, [...others, header], ...rest);
  };
}

const isNamed = (name: unknown, lower: string): boolean =>
  typeof name === 'string' && name.toLowerCase() === lower;
