// Every kind of mistake, at its exact place. A case's lines follow the six of BASE, so they begin at line 7.
import { BASE, describeMistakes } from './fixture.ts';
import type { Case } from './fixture.ts';

const after = (yaml: string): string => BASE + yaml;
const listener = (lines: string): string =>
  `listeners:\n  - address: unix:a\n    protocol: http\n${lines}mounts: [{path: /, app: 'viaduct:hello'}]\n`;
const address = (text: string): string =>
  `listeners: [{protocol: http, address: ${text}}]\nmounts: [{path: /, app: 'viaduct:hello'}]\n`;
const mount = (lines: string): string => BASE + lines;
const DURATION = 'Expected a duration such as 500ms, 30s, 5m or 1h';

const CASES: Case[] = [
  {
    what: 'a typo in a key',
    yaml: after('limits:\n  paramsSize: 64K\n'),
    lines: ['8:3: limits.paramsSize: Unknown key; did you mean "params_size"?'],
  },
  {
    what: 'a key that belongs elsewhere',
    yaml: after('body_size: 1M\n'),
    lines: ['7:1: body_size: Unknown key; it belongs at limits.body_size or mounts[].limits.body_size'],
  },
  {
    what: 'a timeout no mount has',
    yaml: mount('    timeouts: {idle: 5s}\n'),
    lines: ['7:16: mounts[0].timeouts.idle: Unknown key; it belongs at timeouts.idle'],
  },
  {
    what: 'a key nobody knows',
    yaml: after('log:\n  xyzzy: 1\n'),
    lines: ['8:3: log.xyzzy: Unknown key; known here: level, file, access, request_id_header, slow'],
  },
  {
    what: 'no sample, no path and no header',
    yaml: after('log:\n  access:\n    sample: 0.1\n    exclude: [healthz]\n  request_id_header: "X Y"\n'),
    lines: [
      '9:13: log.access.sample: Expected a percentage such as 20%, found the number 0.1',
      '10:15: log.access.exclude[0]: Expected a path that begins with "/" or "*", found "healthz"',
      '11:22: log.request_id_header: Expected the name of a header, found "X Y"',
    ],
  },
  {
    what: 'a typo in a value',
    yaml: BASE.replace('fastcgi', 'fastcig'),
    lines: [
      '3:15: listeners[0].protocol: Expected "fastcgi", "uwsgi", "scgi", "http" or "auto", found "fastcig"; did you mean "fastcgi"?',
    ],
  },
  {
    what: 'a required key left out',
    yaml: 'listeners:\n  - address: unix:a\nmounts:\n  - path: /\n    app: viaduct:hello\n',
    lines: [
      '2:5: listeners[0].protocol: Expected "fastcgi", "uwsgi", "scgi", "http" or "auto", found nothing',
    ],
  },
  {
    what: 'neither listeners nor mounts',
    yaml: 'listeners: []\nmounts:\n',
    lines: [
      '1:12: listeners: Expected at least one listener, found an empty list',
      '2:8: mounts: Expected a list of mounts, found nothing',
    ],
  },
  {
    what: 'an empty file',
    yaml: '',
    lines: ['1:1: Expected a mapping with listeners and mounts, found nothing'],
  },
  {
    what: 'a list',
    yaml: '- 1\n',
    lines: ['1:1: Expected a mapping with listeners and mounts, found a list'],
  },
  {
    what: 'a value where a mapping belongs',
    yaml: after('limits: 5\ntimeouts: [1s]\n'),
    lines: [
      '7:9: limits: Expected a mapping, found the number 5',
      '8:11: timeouts: Expected a mapping, found a list',
    ],
  },
  {
    what: 'a duration without a unit',
    yaml: after('timeouts:\n  body: 10\n  send: "20"\n'),
    lines: [
      `8:9: timeouts.body: ${DURATION}, found the number 10; write 10s or 10ms`,
      `9:9: timeouts.send: ${DURATION}, found "20"; write 20s or 20ms`,
    ],
  },
  {
    what: 'a duration that may not be 0',
    yaml: after('timeouts: {idle: 0s, request: 0, graceful: 0}\n'),
    lines: ['7:18: timeouts.idle: Expected a duration above 0, found "0s"'],
  },
  {
    what: 'a time after which every pause would be a stuck worker',
    yaml: after('timeouts: {stuck: 900ms}\n'),
    lines: ['7:19: timeouts.stuck: Expected a duration of at least 1s, found "900ms"'],
  },
  {
    what: 'a duration no timer takes',
    yaml: after('timeouts: {boot: 600h}\n'),
    lines: ['7:18: timeouts.boot: Expected a duration of at most 596h, found "600h"'],
  },
  {
    what: 'a size with a wrong unit',
    yaml: after('limits:\n  params_size: 64KB\n'),
    lines: [
      '8:16: limits.params_size: Expected a size in bytes or such as 64K, 16M or 1G, found "64KB"; leave the B away: units are K, M and G',
    ],
  },
  {
    what: 'numbers out of range',
    yaml: after('limits: {queue: -1, requests: 1.5, connections: 0, params_size: 0}\n'),
    lines: [
      '7:17: limits.queue: Expected a whole number of at least 0, found the number -1',
      '7:31: limits.requests: Expected a whole number of at least 1, found the number 1.5',
      '7:49: limits.connections: Expected a whole number of at least 1, found the number 0',
      '7:65: limits.params_size: Expected a size in bytes or such as 64K, 16M or 1G, found the number 0',
    ],
  },
  {
    what: 'a mode that is a YAML number',
    yaml: listener('    mode: 0660\n'),
    lines: [
      '4:11: listeners[0].mode: Expected octal digits in quotes such as "0660" (without quotes YAML reads a decimal number), found the number 660',
    ],
  },
  {
    what: 'a mode above 0777',
    yaml: listener('    mode: "1777"\n'),
    lines: ['4:11: listeners[0].mode: Expected a mode from "0000" to "0777", found "1777"'],
  },
  {
    what: 'a range that is none',
    yaml: listener('    allowed_clients: [10.0.0.0/8, local]\n').replace('unix:a', '127.0.0.1:1'),
    lines: [
      '4:35: listeners[0].allowed_clients[1]: Expected an IP address or a range such as 10.0.0.0/8, found "local"',
    ],
  },
  {
    what: 'a port alone',
    yaml: address("'8080'"),
    lines: [
      '1:39: listeners[0].address: Expected unix:PATH, HOST:PORT or systemd:NAME, found "8080"; write 127.0.0.1:8080',
    ],
  },
  {
    what: 'a port out of range',
    yaml: address("'127.0.0.1:70000'"),
    lines: ['1:39: listeners[0].address: Expected a port from 0 to 65535, found 70000 in "127.0.0.1:70000"'],
  },
  {
    what: 'a path without unix:',
    yaml: address('/run/v.sock'),
    lines: [
      '1:39: listeners[0].address: Expected unix:PATH, HOST:PORT or systemd:NAME, found "/run/v.sock"; write unix:/run/v.sock',
    ],
  },
  {
    what: 'a socket path one byte too long, counted in bytes',
    yaml: address(`unix:/${'é'.repeat(53)}x`),
    lines: [
      `1:39: listeners[0].address: Expected a socket path of at most 107 bytes, found 108: /${'é'.repeat(53)}x; use a shorter folder such as /run/viaduct`,
    ],
  },
  {
    what: 'one address twice',
    yaml: BASE.replace('mounts:', '  - {address: "unix:./run/v.sock", protocol: http}\nmounts:'),
    lines: ['4:15: listeners[1].address: unix:DIR/run/v.sock is already taken by listeners[0] in line 2'],
  },
  {
    what: 'a listener on the default admin address',
    yaml: address("'0.0.0.0:9180'"),
    lines: [
      '1:39: listeners[0].address: 0.0.0.0:9180 is already taken by the admin page (a default; see admin.address)',
    ],
  },
  {
    what: 'an admin address a listener has',
    yaml: address("'127.0.0.1:81'") + 'admin: {address: "127.0.0.1:81"}\n',
    lines: ['3:18: admin.address: 127.0.0.1:81 is already taken by listeners[0] in line 1'],
  },
  {
    what: 'admin that is neither a mapping nor false',
    yaml: after('admin: true\n'),
    lines: ['7:8: admin: Expected a mapping with an address, or false, found the boolean true'],
  },
  {
    what: 'mount paths',
    yaml: after(
      ['blog', '/blog/', '/a//b', '/a/../b', '/a?b', '/%41']
        .map((p) => `  - {path: ${p}, app: 'viaduct:hello'}\n`)
        .join(''),
    ),
    lines: [
      '7:12: mounts[1].path: Expected a path that begins with "/", found "blog"',
      '8:12: mounts[2].path: Expected a path without "/" at its end, found "/blog/"; write /blog',
      '9:12: mounts[3].path: Expected a path without "//", found "/a//b"',
      '10:12: mounts[4].path: Expected a path without "." and ".." segments, found "/a/../b"',
      '11:12: mounts[5].path: Expected a path without "?", "#" and control characters, found "/a?b"',
      '12:12: mounts[6].path: Expected a decoded path, found "/%41"; write the characters themselves instead of %XX',
    ],
  },
  {
    what: 'a host with a port',
    yaml: mount('    host: example.com:80\n'),
    lines: [
      '7:11: mounts[0].host: Expected a host name such as example.com or *.example.com, found "example.com:80"; leave the port away: a mount answers on every listener',
    ],
  },
  {
    what: 'one place mounted twice',
    yaml: mount('    host: a.example\n  - {path: /, host: A.Example, app: "viaduct:hello"}\n'),
    lines: ['8:12: mounts[1].path: a.example/ is already mounted by mounts[0] in line 5'],
  },
  {
    what: 'one name twice, once a default',
    yaml: after('  - {path: /x, app: "viaduct:hello", name: /}\n'),
    lines: ['7:44: mounts[1].name: The name "/" is already taken by mounts[0] in line 5'],
  },
  {
    what: 'an app that is no JavaScript',
    yaml: BASE.replace('viaduct:hello', 'mysite.wsgi:application'),
    lines: [
      '6:10: mounts[0].app: Expected a file that ends in .js, .mjs, .cjs or .ts, found "mysite.wsgi:application"; write interface: python for a Python app',
    ],
  },
  {
    what: 'a built-in nobody knows',
    yaml: BASE.replace('hello', 'helo'),
    lines: [
      '6:10: mounts[0].app: Expected the built-in app viaduct:hello or viaduct:environ, found "viaduct:helo"; did you mean viaduct:hello?',
    ],
  },
  {
    what: 'middleware of a wrong kind',
    yaml: mount(
      '    middleware:\n      - 4\n      - {us: x.js}\n      - {use: viaduct:hello}\n      - {use: x.js, options: 3}\n',
    ),
    lines: [
      '8:9: mounts[0].middleware[0]: Expected FILE, FILE:EXPORT, a built-in, or a mapping with use and options, found the number 4',
      '9:9: mounts[0].middleware[1].use: Expected FILE, FILE:EXPORT or a built-in, found nothing',
      '9:10: mounts[0].middleware[1].us: Unknown key; did you mean "use"?',
      '10:15: mounts[0].middleware[2].use: Expected the built-in middleware viaduct:lint, viaduct:static, viaduct:forwarded, viaduct:request-id or viaduct:basic-auth, found "viaduct:hello"; it is a built-in app',
      '11:30: mounts[0].middleware[3].options: Expected a mapping, found the number 3',
    ],
  },
  {
    what: 'env keys of the request, wrong names and values',
    yaml: mount('    env: {HTTP_HOST: a, PATH_INFO: b, wsgi.input: c, a-b: d, E: [1], F: }\n'),
    lines: [
      '7:11: mounts[0].env.HTTP_HOST: The request sets this key itself',
      '7:25: mounts[0].env.PATH_INFO: The request sets this key itself',
      '7:39: mounts[0].env["wsgi.input"]: The request sets this key itself',
      '7:54: mounts[0].env.a-b: Expected a name of letters, digits, "_" and "."',
      '7:65: mounts[0].env.E: Expected a text, found a list',
      '7:73: mounts[0].env.F: Expected a text, found nothing',
    ],
  },
  {
    what: 'an interface that there is not',
    yaml: mount('    interface: nodejs\n'),
    lines: [
      '7:16: mounts[0].interface: Expected "wsgi", "node", "fetch" or "python", found "nodejs"; did you mean "node"?',
    ],
  },
  {
    what: 'a Python mount with an app that is none',
    yaml: mount('    interface: python\n'),
    lines: [
      '6:10: mounts[0].app: Expected MODULE:CALLABLE or a file that ends in .py or .wsgi, found "viaduct:hello"',
    ],
  },
  {
    what: 'a Python mount with fewer threads than workers, and keys that are wrong',
    yaml: `${BASE.replace('viaduct:hello', 'a:app')}    interface: python\n    python: {processes: 1, threads: 2, path: x, max_requests: -1}\nworkers: 3\n`,
    lines: [
      '8:13: mounts[0].python: Expected a Python thread for each of 3 workers, found 2 (processes x threads)',
      '8:46: mounts[0].python.path: Expected a list of folders, found "x"',
      '8:63: mounts[0].python.max_requests: Expected a whole number of at least 0, found the number -1',
    ],
  },
  {
    what: 'a run_dir too long for the sockets of Python threads',
    yaml: `${BASE.replace('viaduct:hello', 'a:app')}    interface: python\nrun_dir: /${'r'.repeat(90)}\n`,
    lines: [
      `8:10: run_dir: Expected a path of at most 71 bytes where there are Python apps, found 91: /${'r'.repeat(90)}; use a shorter folder such as /run/viaduct`,
    ],
  },
  {
    what: 'workers and their recycling',
    yaml: mount(
      'workers: many\nrecycle: {max_requests: -1, max_age: soon, max_memory: 1T, jitter: 120%, min: 1}\n',
    ),
    lines: [
      '7:10: workers: Expected "auto" or a whole number from 1 to 1024, found "many"',
      '8:25: recycle.max_requests: Expected a whole number of at least 0, found the number -1',
      '8:38: recycle.max_age: Expected a duration such as 500ms, 30s, 5m or 1h, found "soon"',
      '8:56: recycle.max_memory: Expected a size in bytes or such as 64K, 16M or 1G, found "1T"',
      '8:68: recycle.jitter: Expected a percentage from 0% to 100%, found "120%"',
      '8:74: recycle.min: Unknown key; known here: max_requests, max_age, max_memory, jitter',
    ],
  },
  {
    what: 'a percentage without its sign',
    yaml: mount('recycle: {jitter: 20}\n'),
    lines: ['7:19: recycle.jitter: Expected a percentage such as 20%, found the number 20'],
  },
  {
    what: 'what systemd passes, twice or for the admin page',
    yaml: `listeners: [{address: 'systemd:web', protocol: http}, {address: 'systemd:web', protocol: uwsgi}]
mounts: [{path: /, app: ./a.js}]
admin: {address: 'systemd:web'}
`,
    lines: [
      '1:65: listeners[1].address: systemd:web is already taken by listeners[0] in line 1',
      '3:18: admin.address: Expected unix:PATH or HOST:PORT, found "systemd:web"; what systemd passes can only be a listener',
    ],
  },
];

describeMistakes('mistakes in the configuration', CASES);
