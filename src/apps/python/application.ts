// The gateway application of a Python mount: hands each request to a thread, and its answer to the gateway. Knows neither
// processes nor how lanes come and go.
import type { Application, Environ } from '../../gateway/contract.ts';
import { GatewayError } from '../../gateway/errors.ts';
import { isPeekable } from '../../gateway/input.ts';
import type { LateBody } from '../../gateway/late-body.ts';
import { Conversation } from './conversation.ts';
import { type EnvironText, NameLists } from './environ-text.ts';
import { INLINE_BODY } from './frames.ts';
import type { LaneServer } from './lane-server.ts';

/** RFC 9110, section 9.2.2: sent twice they do what they do once. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** @param unavailable answers while the app does not load */
export function pythonApplication(lanes: LaneServer, unavailable: Application): Application {
  const lists = new NameLists();
  return (environ, startResponse) => {
    if (lanes.isDown) return unavailable(environ, startResponse);
    /** `body`: all of it, or null where it is to be streamed. */
    const begin = (body: Uint8Array | null): LateBody => {
      const hasBody = body === null || body.length > 0;
      const tries = !hasBody && IDEMPOTENT.has(environ.REQUEST_METHOD) ? 2 : 1;
      const request = { environ: textOf(environ, lists), body };
      return new Conversation({ lanes, environ, startResponse, request, tries }).run();
    };
    return hasNoBody(environ) ? begin(EMPTY) : firstPiece(environ).then(begin);
  };
}

/** Most requests have none, and that shows without waiting. */
function hasNoBody(environ: Environ): boolean {
  const { CONTENT_LENGTH: length, 'wsgi.input': input } = environ;
  return length === '0' || (length === undefined && isPeekable(input) && input.hadNothing);
}

/** The whole request body, where that is short; null: it has to be streamed. */
async function firstPiece(environ: Environ): Promise<Uint8Array | null> {
  const { CONTENT_LENGTH: length } = environ;
  const size = length === undefined ? -1 : Number(length);
  if (size > INLINE_BODY || Number.isNaN(size)) return null;
  const input = environ['wsgi.input'];
  if (size >= 0) return input.read(size);
  return isPeekable(input) ? ((await input.isEmpty()) ? EMPTY : null) : null;
}

const EMPTY = new Uint8Array(0);

function textOf(environ: Environ, lists: NameLists): EnvironText {
  try {
    return lists.textOf(environ);
  } catch (error) {
    if (error instanceof TypeError) throw new GatewayError('ERR_PYTHON_ENVIRON', error.message);
    throw error;
  }
}
