// What the built-in middleware take as options. Keys stay as the file has them, and so do values, but for durations, so
// that the options can be printed as a file again.
import { z } from 'zod';
import { duration, MAPPING, reading, text, wholeNumber } from './fields.ts';
import { parseMountPath } from './mount-place.ts';
import { parsePassword } from './password.ts';
import { BadValue, describeValue } from './problems.ts';
import type { BuiltinMiddleware } from './reference.ts';
import { TRUSTED, trustedRanges } from './trust.ts';

/** `parse` only looks: the text stays as it is. */
const looked = (source: z.ZodType<string>, parse: (value: string) => unknown): z.ZodType<string> =>
  reading(source, (value) => {
    parse(value);
    return value;
  });

const flag = z.boolean({ error: 'true or false' });

/** For text that must match; `wanted` goes after "Expected". */
const matching = (wanted: string, pattern: RegExp): z.ZodType<string> =>
  looked(text(wanted, pattern.source), (value) => {
    if (!pattern.test(value)) throw new BadValue(`Expected ${wanted}, found ${describeValue(value)}`);
  });

/** One name: of a file in any folder, or the end of one. */
const FILE_NAME = /^(?!\.{1,2}$)[^/\0]+$/;
const YEAR = 365 * 24 * 3_600_000;

const staticFiles = z.strictObject(
  {
    root: text('the folder with the files').describe('The folder with the files'),
    prefix: reading(text('a path that begins with "/"', '^/'), parseMountPath)
      .prefault('/')
      .describe('Where they are below the mount; other paths are for the app alone'),
    index: z
      .union([z.literal(false), matching('the name of a file', FILE_NAME)], {
        error: 'the name of a file, or false',
      })
      .prefault('index.html')
      .describe('The file that stands for its folder; false: none does'),
    max_age: duration(0, 0, YEAR)
      .prefault(0)
      .describe('How long clients may use a file without asking again, at most 8760h'),
    immutable: flag
      .default(false)
      .describe('Files never change under their names: Cache-Control says immutable'),
    dotfiles: z
      .enum(['ignore', 'deny', 'allow'], { error: '"ignore", "deny" or "allow"' })
      .default('ignore')
      .describe('Files and folders that begin with a dot: ignore, as if they were not there; deny: 403'),
    fallthrough: flag
      .default(true)
      .describe('What is no file is for the app; false: 404, and 405 for methods other than GET and HEAD'),
    extensions: z
      .array(matching('an extension such as html, without a dot in front', /^[^./\0][^/\0]*$/), {
        error: 'a list of extensions',
      })
      .prefault([])
      .describe('Tried in turn after a name that is no file: with [html], /about is about.html'),
  },
  MAPPING,
);

export const FORWARDED_HEADERS = [
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'forwarded',
] as const;
export type ForwardedHeader = (typeof FORWARDED_HEADERS)[number];

/** What `forwarded` says, too. */
const SAID_TWICE: readonly ForwardedHeader[] = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'];

const headerNames = z
  .array(
    z.enum(FORWARDED_HEADERS, {
      error: FORWARDED_HEADERS.map((name) => JSON.stringify(name))
        .join(', ')
        .replace(/, ([^,]*)$/, ' or $1'),
    }),
    { error: 'a list of headers' },
  )
  .min(1, { error: 'at least one header' })
  .check((context) => {
    const twice = SAID_TWICE.find((name) => context.value.includes(name));
    if (twice === undefined || !context.value.includes('forwarded')) return;
    context.issues.push({
      code: 'custom',
      input: context.value,
      message: `Expected either forwarded or ${twice}, found both`,
      params: { hint: 'a client could send the one that the proxy does not set' },
    });
  });

const forwarded = z.strictObject(
  {
    trust: z
      .array(looked(text(TRUSTED), trustedRanges), { error: 'a list of IP addresses and ranges' })
      .min(1, { error: 'at least one IP address or range' })
      .describe(`The proxies: each is ${TRUSTED}`),
    headers: headerNames
      .prefault(FORWARDED_HEADERS.filter((name) => name !== 'forwarded'))
      .describe('The headers that the proxies set, whatever a client sends; all others are removed'),
    hops: wholeNumber(1, 100)
      .optional()
      .describe('How many proxies there are at most; default: as many as are trusted'),
  },
  MAPPING,
);

const headerName = matching('the name of a header', /^[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/);

const requestId = z.strictObject(
  {
    header: headerName.prefault('X-Request-ID').describe('The header that has it'),
    trust: flag
      .default(true)
      .describe('Take the id that the request has; false: every request gets a new one'),
    response: flag.default(true).describe('Send it with the response, in the same header'),
  },
  MAPPING,
);

const userName = reading(z.string(), (name) => name).check((context) => {
  // RFC 7617, section 2
  if (/^[^:\p{Cc}]+$/u.test(context.value)) return;
  const message = 'Expected the name of a user, without ":" and control characters';
  context.issues.push({ code: 'custom', input: context.value, message });
});

const password = looked(z.string({ error: 'a password or its hash' }), (value) => {
  if (value === '') throw new BadValue('Expected a password or its hash, found an empty text');
  parsePassword(value, true);
});

const basicAuth = z
  .strictObject(
    {
      realm: matching('printable ASCII text', /^[ -~]+$/)
        .prefault('Restricted')
        .describe('What the browser calls the place that it asks a password for'),
      users: z
        .record(userName, password, MAPPING)
        .optional()
        .describe(
          'Name and password, or its hash: {SHA256}BASE64, {SHA}BASE64, $scrypt$ln=LN,r=R,p=P$SALT$HASH',
        ),
      file: text('a path')
        .optional()
        .describe('An htpasswd file with such hashes, instead of users; read when the app is loaded'),
      header: headerName
        .optional()
        .describe('A request header in which the app finds the name, whatever the client sends in it'),
    },
    MAPPING,
  )
  .check((context) => {
    const { users, file } = context.value;
    const found = users === undefined ? 'neither' : 'both';
    if ((users === undefined) !== (file === undefined)) return;
    context.issues.push({
      code: 'custom',
      input: context.value,
      message: `Expected either users or file, found ${found}`,
    });
  });

export type StaticOptions = z.output<typeof staticFiles>;
export type ForwardedOptions = z.output<typeof forwarded>;
export type RequestIdOptions = z.output<typeof requestId>;
export type BasicAuthOptions = z.output<typeof basicAuth>;

export const OPTION_SCHEMAS = {
  'viaduct:lint': z.strictObject({}, MAPPING),
  'viaduct:static': staticFiles,
  'viaduct:forwarded': forwarded,
  'viaduct:request-id': requestId,
  'viaduct:basic-auth': basicAuth,
} as const satisfies Record<BuiltinMiddleware, z.ZodObject>;
