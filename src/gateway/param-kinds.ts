// What a param of a given name means for an environ: one look-up a param, and the rules in one table.

export const ParamKind = {
  /** Taken over as it is; of several the last counts. */
  Plain: 0,
  /** A request header: repeats join with ", " (nginx before 1.23 sends them as they came). */
  Header: 1,
  /** HTTP_COOKIE: repeats join with "; " (RFC 6265, section 5.4). */
  Cookie: 2,
  /** Left out when empty, as CGI has it (RFC 3875, section 4.1) and PEP 3333 allows; nginx sends every configured param. */
  Optional: 3,
  /** Never reaches an environ. */
  Dropped: 4,
} as const;
export type ParamKind = (typeof ParamKind)[keyof typeof ParamKind];

const NAMED: readonly (readonly [kind: ParamKind, names: string])[] = [
  // A joined Host or Authorization would mean something else.
  [ParamKind.Plain, 'HTTP_HOST HTTP_AUTHORIZATION'],
  [ParamKind.Cookie, 'HTTP_COOKIE'],
  [ParamKind.Optional, 'REMOTE_USER CONTENT_TYPE CONTENT_LENGTH HTTPS REMOTE_ADDR REMOTE_PORT'],
  [ParamKind.Optional, 'REMOTE_IDENT AUTH_TYPE SERVER_ADDR PATH_TRANSLATED'],
  // The first two have keys of their own, nginx undid the third, and Proxy would become HTTP_PROXY ("httpoxy").
  [ParamKind.Dropped, 'HTTP_CONTENT_TYPE HTTP_CONTENT_LENGTH HTTP_TRANSFER_ENCODING HTTP_PROXY __proto__'],
];

/** Other names are remembered up to this many in all: a front server sends the same ones with every request. */
const MAX_KNOWN = 1024;
const known = new Map(
  NAMED.flatMap(([kind, names]) => names.split(' ').map((name) => [name, kind] as const)),
);

export function paramKind(name: string): ParamKind {
  const kind = known.get(name);
  if (kind !== undefined) return kind;
  const found = classify(name);
  if (known.size < MAX_KNOWN) known.set(name, found);
  return found;
}

function classify(name: string): ParamKind {
  if (name.startsWith('HTTP_')) return ParamKind.Header;
  // Keys that only we may set.
  return name.startsWith('wsgi.') || name.startsWith('viaduct.') ? ParamKind.Dropped : ParamKind.Plain;
}
