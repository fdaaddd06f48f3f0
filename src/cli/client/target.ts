// The request target as nginx takes it apart: what goes into REQUEST_URI, QUERY_STRING and DOCUMENT_URI.
// Follows ngx_http_parse_complex_uri() with merge_slashes on, which is the default.

/** The path cannot stand in a request, or nginx would answer 400 to it. */
export class TargetError extends Error {
  override readonly name = 'TargetError';
}

function wrong(target: string, found: string, wanted: string): TargetError {
  return new TargetError(`reading PATH '${target}' failed: ${found}, wanted ${wanted}`);
}

/**
 * Makes what a user types a request target of printable ASCII: everything else is percent-encoded as UTF-8, a
 * fragment is cut off.
 * @throws {TargetError} when it does not begin with '/'
 */
export function encodeTarget(text: string): string {
  const target = text.replace(/#.*$/s, '');
  if (target === '*') return target;
  if (!target.startsWith('/')) throw wrong(text, "it does not begin with '/'", "'/path?query' or '*'");
  return target.replace(/[^\x21-\x7e]+/gu, (run) =>
    Array.from(
      Buffer.from(run, 'utf8'),
      (byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`,
    ).join(''),
  );
}

/** The part after the first '?'; '' where there is none. */
export function queryOf(target: string): string {
  const mark = target.indexOf('?');
  return mark < 0 ? '' : target.slice(mark + 1);
}

/**
 * The path percent-decoded and normalised: dot segments resolved, slashes merged. Decoding comes first, so an encoded
 * slash or dot counts like a plain one.
 * @param target as encodeTarget() returned it
 * @returns a byte string
 * @throws {TargetError} where nginx answers 400
 */
export function documentUri(target: string): string {
  const path = target.replace(/\?.*$/s, '');
  if (path === '*') return path;
  const decoded = path.replace(/%(..)?/gs, (_escape, hex: string | undefined) => {
    if (hex === undefined || !/^[0-9a-f]{2}$/i.test(hex)) {
      throw wrong(target, `'%${hex ?? ''}' is no escape`, "'%' and two hex digits, as nginx does");
    }
    if (hex === '00') throw wrong(target, 'it holds a NUL byte', 'none, as nginx does');
    return String.fromCharCode(Number.parseInt(hex, 16));
  });
  const kept: string[] = [];
  const segments = decoded.split('/').slice(1);
  for (const segment of segments) {
    if (segment === '..') {
      if (kept.pop() === undefined)
        throw wrong(target, "'..' leaves the root", 'a path within it, as nginx does');
    } else if (segment !== '' && segment !== '.') {
      kept.push(segment);
    }
  }
  const last = segments.at(-1);
  const isFolder = kept.length > 0 && (last === '' || last === '.' || last === '..');
  return `/${kept.join('/')}${isFolder ? '/' : ''}`;
}
