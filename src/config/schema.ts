// The shape of the file: every key this version accepts, its type, default and meaning. Paths stay as written;
// what one key means for another is not looked at here (checks.ts).
import { z } from 'zod';
import { DEFAULT_ADMIN_ADDRESS, parseAddress, parseClientRange, parseListenAddress } from './address.ts';
import {
  account,
  MAPPING,
  camelKeys,
  duration,
  mode,
  percentage,
  reading,
  size,
  text,
  wholeNumber,
} from './fields.ts';
import { log } from './log-schema.ts';
import { parseHost, parseMountPath } from './mount-place.ts';
import { BUILTIN_MIDDLEWARE, parseReference } from './reference.ts';
import { type FilePython, python } from './python-schema.ts';
import { type Config, INTERFACES, type MountConfig, type MountLimits, type MountTimeouts } from './types.ts';

/** What the schema makes of the file, before paths are absolute and mounts inherit. */
export interface FileConfig extends Omit<Config, 'mounts' | 'development'> {
  mounts: FileMount[];
}

export interface FileMount extends Omit<MountConfig, 'host' | 'name' | 'limits' | 'timeouts' | 'python'> {
  host?: string | undefined;
  name?: string | undefined;
  limits: Partial<MountLimits>;
  timeouts: Partial<MountTimeouts>;
  python: FilePython;
}

/** Far above any sensible number of cores: a typo must not fork a machine to death. */
const MAX_WORKERS = 1024;
const WORKERS = `"auto" or a whole number from 1 to ${MAX_WORKERS}`;

const address = reading(
  text('unix:PATH or HOST:PORT', '^(unix:.+|[^:/]+:\\d+|\\[[0-9a-fA-F:.]+\\]:\\d+)$'),
  parseAddress,
);

const listenAddress = reading(
  text(
    'unix:PATH, HOST:PORT or systemd:NAME',
    '^(unix:.+|systemd:[ -9;-~]+|[^:/]+:\\d+|\\[[0-9a-fA-F:.]+\\]:\\d+)$',
  ),
  parseListenAddress,
);

const listener = z
  .strictObject(
    {
      address: listenAddress.describe(
        'Where to listen: unix:PATH, HOST:PORT or [IPv6]:PORT, where port 0 takes any free one; or systemd:NAME, the sockets that systemd passes under that name',
      ),
      protocol: z
        .enum(['fastcgi', 'uwsgi', 'scgi', 'http', 'auto'], {
          error: '"fastcgi", "uwsgi", "scgi", "http" or "auto"',
        })
        .describe('What the peer speaks; auto tells it by the first bytes'),
      mode: mode
        .prefault('0660')
        .describe('Permissions of a Unix socket, as octal digits in quotes; who may write may connect'),
      owner: account.describe('User a Unix socket belongs to; default: the user that starts viaduct'),
      group: account.describe('Group a Unix socket belongs to; default: the group that starts viaduct'),
      backlog: wholeNumber(1, 2 ** 31 - 1)
        .default(4096)
        .describe('Connections the kernel keeps waiting; it cuts the number to net.core.somaxconn'),
      allowed_clients: z
        .array(reading(text('an IP address or a range such as 10.0.0.0/8'), parseClientRange), {
          error: 'a list of IP addresses and ranges',
        })
        .min(1, { error: 'at least one IP address or range' })
        .nullable()
        .prefault(null)
        .describe(
          'TCP only: who may connect, as IP addresses and ranges such as 10.0.0.0/8; default: anyone',
        ),
    },
    MAPPING,
  )
  .transform(camelKeys)
  .describe('One socket to listen on');

const sharedLimits = {
  body_size: size(0).describe('Largest request body; larger: 413. 0: no limit (nginx has its own)'),
  response_headers_size: size(1).describe('Largest block of response headers an app may send; larger: 500'),
  requests: wholeNumber(1).describe('Requests in flight per worker; beyond that they queue'),
  queue: wholeNumber(0).describe('Requests that may wait per worker; beyond that: 503 with Retry-After'),
};

const limits = z
  .strictObject(
    {
      params_size: size(1)
        .prefault('64K')
        .describe('Largest block of request headers and params; larger: 431'),
      params_count: wholeNumber(1).default(1000).describe('Most params of one request; more: 431'),
      body_size: sharedLimits.body_size.prefault(0),
      response_headers_size: sharedLimits.response_headers_size.prefault('64K'),
      connections: wholeNumber(1).default(4096).describe('Open connections per worker'),
      requests: sharedLimits.requests.default(1024),
      queue: sharedLimits.queue.default(256),
    },
    MAPPING,
  )
  .transform(camelKeys)
  .prefault({})
  .describe('How much is taken before it is refused');

const sharedTimeouts = {
  body: duration(1).describe('Between two reads of a request body'),
  send: duration(1).describe('Between two writes to a peer that reads slowly'),
  request: duration(0).describe('A whole request: 504 before the headers, cut off after them. 0: no limit'),
  queue: duration(1).describe('A request waiting for its turn; after that: 503'),
  boot: duration(1).describe('Loading an app'),
};

/** Below a second, a collection of a large heap would be taken for an endless loop. */
const SHORTEST_STUCK = 1000;

const timeouts = z
  .strictObject(
    {
      params: duration(1).prefault('10s').describe('A peer that begins a request and stalls'),
      body: sharedTimeouts.body.prefault('60s'),
      send: sharedTimeouts.send.prefault('60s'),
      request: sharedTimeouts.request.prefault('60s'),
      queue: sharedTimeouts.queue.prefault('5s'),
      idle: duration(1)
        .prefault('75s')
        .describe("A kept-alive connection without a request; keep it above nginx's keepalive_timeout (60s)"),
      stuck: duration(0, SHORTEST_STUCK)
        .prefault('30s')
        .describe(
          'An event loop silent this long: the blocking function and the requests in flight are logged, the worker is killed. 0: never',
        ),
      boot: sharedTimeouts.boot.prefault('60s'),
      graceful: duration(0)
        .prefault('30s')
        .describe('Requests in flight on a stop or reload; after that they are cut off. 0: at once'),
    },
    MAPPING,
  )
  .transform(camelKeys)
  .prefault({})
  .describe('How long is waited before giving up');

const recycle = z
  .strictObject(
    {
      max_requests: wholeNumber(0).default(0).describe('Requests a worker serves. 0: no limit'),
      max_age: duration(0).prefault(0).describe('How long a worker lives. 0: no limit'),
      max_memory: size(0).prefault(0).describe('Resident memory of a worker. 0: no limit'),
      jitter: percentage
        .prefault('20%')
        .describe(
          "Each worker's limits are lower by a random part up to this, so that not all are due at once",
        ),
    },
    MAPPING,
  )
  .transform(camelKeys)
  .prefault({})
  .describe('When a worker is replaced by a fresh one, without a pause');

const middlewareReference = reading(text('FILE, FILE:EXPORT or a built-in'), (value) =>
  parseReference(value, 'middleware'),
);

const middleware = z
  .union(
    [
      middlewareReference.transform((use) => ({ use, options: undefined })),
      z
        .strictObject(
          {
            use: middlewareReference.describe(
              `FILE[:EXPORT] or a built-in: ${BUILTIN_MIDDLEWARE.join(', ')}`,
            ),
            options: z
              .record(z.string(), z.unknown(), MAPPING)
              .optional()
              .describe('Handed to the middleware as its second argument'),
          },
          MAPPING,
        )
        .transform(({ use, options }) => ({ use, options })),
    ],
    { error: 'FILE, FILE:EXPORT, a built-in, or a mapping with use and options' },
  )
  .describe('FILE[:EXPORT], a built-in such as viaduct:lint, or a mapping with use and options');

const envName = reading(z.string(), (name) => name).check((context) => {
  const name = context.value;
  if (!/^[A-Za-z_][\w.]*$/.test(name)) {
    context.issues.push({
      code: 'custom',
      input: name,
      message: 'Expected a name of letters, digits, "_" and "."',
    });
  }
});

const mount = z
  .strictObject(
    {
      path: reading(text('a path that begins with "/"', '^/'), parseMountPath).describe(
        'Where the app answers; the longest prefix at a "/" wins and becomes SCRIPT_NAME',
      ),
      host: reading(text('a host name such as example.com or *.example.com'), parseHost)
        .optional()
        .describe('Only for this host: exact, or *.example.com for every name below it; default: any host'),
      name: text('a name')
        .optional()
        .describe('Label in metrics and logs; default: the path, with the host in front when there is one'),
      app: reading(text('FILE, FILE:EXPORT, MODULE:CALLABLE or a built-in'), (value) =>
        parseReference(value, 'app'),
      ).describe(
        'FILE[:EXPORT], where EXPORT defaults to application, then default; or viaduct:hello, viaduct:environ; interface python: package.module:CALLABLE, package.module:FACTORY(), or FILE.py or FILE.wsgi with or without :CALLABLE',
      ),
      interface: z
        .enum(INTERFACES, { error: '"wsgi", "node", "fetch" or "python"' })
        .default('wsgi')
        .describe(
          'What kind of app it is: wsgi, a JavaScript gateway app; node, an app of node:http such as Express; fetch, an app of Request and Response such as Hono; python, an app of PEP 3333',
        ),
      env: z
        .record(envName, z.string({ error: 'a text' }), MAPPING)
        .prefault({})
        .describe('Reaches the app as environ keys (wsgi), or as environment of its processes (python)'),
      middleware: z
        .array(middleware, { error: 'a list' })
        .prefault([])
        .describe('Wrapped around the app, the outermost first'),
      timeouts: z
        .strictObject(sharedTimeouts, MAPPING)
        .partial()
        .transform(camelKeys)
        .prefault({})
        .describe('Set again for this mount; default: the timeouts of the whole server'),
      limits: z
        .strictObject(sharedLimits, MAPPING)
        .partial()
        .transform(camelKeys)
        .prefault({})
        .describe('Set again for this mount; default: the limits of the whole server'),
      access_log: z
        .boolean({ error: 'true or false' })
        .default(true)
        .describe('Whether its requests have lines in the access log'),
      python,
    },
    MAPPING,
  )
  .transform(camelKeys)
  .describe('One app and where it answers');

const admin = z
  .union(
    [
      z.literal(false).transform(() => null),
      z.strictObject(
        { address: address.prefault(DEFAULT_ADMIN_ADDRESS).describe('HOST:PORT or unix:PATH') },
        MAPPING,
      ),
    ],
    { error: 'a mapping with an address, or false' },
  )
  .prefault({})
  .describe('Metrics, health and the status page; false: off');

const file = z
  .strictObject(
    {
      listeners: z
        .array(listener, { error: 'a list of listeners' })
        .min(1, { error: 'at least one listener' })
        .describe('The sockets nginx connects to'),
      workers: z
        .union([z.literal('auto'), wholeNumber(1, MAX_WORKERS)], { error: WORKERS })
        .default(1)
        .describe('Worker processes, each on one core; auto: one a core'),
      run_dir: text('a path')
        .default('run')
        .describe('Folder for the pid file, the control socket and internal sockets'),
      user: account.describe('User the workers become, when started as root'),
      group: account.describe("Group the workers become, when started as root; default: the user's"),
      limits,
      timeouts,
      recycle,
      mounts: z
        .array(mount, { error: 'a list of mounts' })
        .min(1, { error: 'at least one mount' })
        .describe('The apps and where they answer'),
      admin,
      log,
    },
    { error: 'a mapping with listeners and mounts' },
  )
  .transform(camelKeys)
  .meta({
    title: 'viaduct configuration',
    description: 'The configuration file of viaduct, an application server for nginx',
  });

export const configSchema: z.ZodType<FileConfig> = file;
