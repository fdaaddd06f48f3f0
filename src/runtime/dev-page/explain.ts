// What `serve --watch` shows a browser of a request that failed, and of an app that did not load. Loaded in development only.
import type { Environ } from '../../gateway/contract.ts';
import type { ErrorPage } from '../../gateway/error-page.ts';
import { GatewayError } from '../../gateway/errors.ts';
import type { RequestRecord } from '../../gateway/events.ts';
import { requestUri } from '../../gateway/path.ts';
import { describeThrown } from '../../observe/describe-error.ts';
import type { BootFailure } from '../boot.ts';
import { excerptsOf } from './excerpts.ts';
import { developmentPage } from './page.ts';
import { readable, shownEnviron } from './shown-environ.ts';

const RETRY_AFTER = 1;

/** null: the client has not asked for HTML, or it is to blame itself. */
export function explainFailure({ environ }: RequestRecord, status: number, error: unknown): ErrorPage | null {
  if (!takesHtml(environ) || (error instanceof GatewayError && status < 500)) return null;
  const { type, message, stack = '' } = describeThrown(error);
  // A PythonError's message begins with the class already.
  const named = error instanceof Error && type !== 'PythonError' ? `${type}: ${message}` : message;
  return developmentPage({
    status,
    title: `The app at ${environ['viaduct.mount']} failed`,
    message: named,
    stack,
    excerpts: excerptsOf(stack),
    request: requestOf(environ),
    environ: shownEnviron(environ),
    retryAfter: null,
  });
}

/** null: the client has not asked for HTML. */
export function explainBoot(environ: Environ, { mount, message }: BootFailure): ErrorPage | null {
  if (!takesHtml(environ)) return null;
  const [first = '', ...more] = message.split('\n');
  return developmentPage({
    status: 503,
    title: `The app at ${mount} did not load`,
    message: first,
    stack: more.join('\n'),
    excerpts: excerptsOf(message),
    request: requestOf(environ),
    environ: [],
    retryAfter: RETRY_AFTER,
  });
}

function requestOf(environ: Environ): [string, string][] {
  const { REQUEST_METHOD: method, SERVER_PROTOCOL: protocol } = environ;
  return [
    ['Request', `${method} ${readable(requestUri(environ))} ${protocol}`],
    ['Mount', environ['viaduct.mount']],
    ['Request id', environ['viaduct.request_id']],
  ];
}

const takesHtml = (environ: Environ): boolean => {
  const accept = environ['HTTP_ACCEPT'];
  return typeof accept === 'string' && /\btext\/html\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test(accept);
};
