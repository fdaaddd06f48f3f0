// The shape of `log`: what is logged, and where. Does not know who writes.
import { z } from 'zod';
import { camelKeys, duration, MAPPING, percentage, reading, text } from './fields.ts';
import { BadValue } from './problems.ts';

/** RFC 9110, section 5.1. */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const logFile = text('a path').nullable().default(null);

const path = reading(text('a path such as /healthz or /static/*', '^[/*]'), (value) => {
  if (!/^[/*]/.test(value))
    throw new BadValue(`Expected a path that begins with "/" or "*", found ${JSON.stringify(value)}`);
  return value;
});

const headerName = reading(text('the name of a header such as X-Request-ID'), (value) => {
  if (!HEADER_NAME.test(value))
    throw new BadValue(`Expected the name of a header, found ${JSON.stringify(value)}`);
  return value;
});

const access = z
  .strictObject(
    {
      enabled: z.boolean({ error: 'true or false' }).default(true).describe('One line a request'),
      file: logFile.describe('Where the access log goes, reopened on USR1; null: where the log goes'),
      format: z
        .enum(['json', 'combined'], { error: '"json" or "combined"' })
        .default('json')
        .describe("JSON lines, or nginx's combined format"),
      sample: percentage
        .prefault('100%')
        .describe(
          'The part of the requests that went well of which a line is written; errors, slow and broken ones always have theirs',
        ),
      exclude: z
        .array(path, { error: 'a list of paths' })
        .prefault([])
        .describe(
          'Paths such as /healthz or /static/*, where * stands for anything: requests that went well there have no line',
        ),
    },
    MAPPING,
  )
  .prefault({})
  .describe('The access log');

export const log = z
  .strictObject(
    {
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
          error: '"trace", "debug", "info", "warn", "error", "fatal" or "silent"',
        })
        .default('info')
        .describe('The least important line still written'),
      file: logFile.describe('Where the log goes, reopened on USR1; null: stderr'),
      access,
      request_id_header: z
        .union([z.literal(false).transform(() => null), headerName], {
          error: 'the name of a header such as X-Request-ID, or false',
        })
        .prefault('X-Request-ID')
        .describe('The request header that names a request; false: viaduct makes every name'),
      slow: duration(0)
        .prefault('2s')
        .describe(
          'Requests slower than this are logged: once while they run, with what they wait for, and again at their end. 0: never',
        ),
    },
    MAPPING,
  )
  .transform(camelKeys)
  .prefault({})
  .describe('What is logged, and where');
