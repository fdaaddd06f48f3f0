// The vars block of a uwsgi packet as a params list. Knows nothing of the packet around it.
import { ProtocolError } from '../errors.ts';
import { checkParam, findParam } from '../params.ts';
import type { StreamSink } from '../stream-events.ts';

/**
 * Splits a whole block (latin-1 text) into name, value, name, value ... or says why it cannot: half an environ is never
 * given. Pairs with a forbidden name or value are dropped with a notice. Names and values are slices of the one text.
 */
export function parseVars(text: string, maxCount: number, sink: StreamSink): string[] | ProtocolError {
  const params: string[] = [];
  let offset = 0;
  for (let count = 0; offset < text.length; count++) {
    if (count === maxCount) {
      return new ProtocolError(
        'ERR_PARAMS_COUNT',
        `Cannot take the uwsgi vars: more than the limit of ${maxCount}`,
      );
    }
    const nameStart = offset + 2;
    const nameEnd = nameStart + lengthAt(text, offset);
    if (nameEnd === nameStart) return badBlock(`the name at byte ${offset} is empty`);
    const valueStart = nameEnd + 2;
    const valueEnd = valueStart + lengthAt(text, nameEnd);
    // NaN, where a length itself is cut off, fails this comparison too.
    if (!(valueEnd <= text.length))
      return badBlock(`the pair at byte ${offset} runs past the block's ${text.length} bytes`);
    const name = text.slice(nameStart, nameEnd);
    const value = text.slice(valueStart, valueEnd);
    const fault = checkParam(name, value);
    if (fault === null) params.push(name, value);
    else sink.onNotice(fault);
    offset = valueEnd;
  }
  return params;
}

/** Modifier 30: takes SCRIPT_NAME off the front of PATH_INFO where it ends at a "/" boundary. Changes `params`. */
export function stripScriptName(params: string[]): void {
  const script = params[findParam(params, 'SCRIPT_NAME')];
  const at = findParam(params, 'PATH_INFO');
  const path = params[at];
  if (script === undefined || path === undefined || !path.startsWith(script)) return;
  const rest = path.slice(script.length);
  if (rest === '' || rest.startsWith('/')) params[at] = rest;
}

/** A 16-bit little-endian length; NaN past the end of the text. */
function lengthAt(text: string, offset: number): number {
  return text.charCodeAt(offset) + 256 * text.charCodeAt(offset + 1);
}

function badBlock(what: string): ProtocolError {
  return new ProtocolError('ERR_UWSGI_BLOCK', `Cannot read the uwsgi vars: ${what}`);
}
