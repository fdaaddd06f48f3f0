// Mistakes in YAML itself and in what stands for the environment. A case's lines follow the six of BASE.
import { BASE, describeMistakes } from './fixture.ts';
import type { Case } from './fixture.ts';

const after = (yaml: string): string => BASE + yaml;

const CASES: Case[] = [
  {
    what: 'the environment',
    yaml: after(
      'log:\n  level: ${LEVEL}\n  file: ${FILE:?say where}\nuser: ${USER:?}\ngroup: "${A-b}"\nrun_dir: "${OPEN"\n',
    ),
    env: { USER: '' },
    lines: [
      '8:10: log.level: The environment variable LEVEL is not set; set it, or give a default with ${LEVEL:-default}',
      '9:9: log.file: The environment variable FILE is not set: say where',
      '10:7: user: The environment variable USER is empty',
      '11:8: group: Expected ${NAME}, ${NAME:-default} or ${NAME:?message}, found "${A-b}"',
      '12:10: run_dir: Expected "}" after "${OPEN"; write $${ for a literal ${',
    ],
  },
  {
    what: 'nested environment variables',
    yaml: after('run_dir: ${A:-${B}}\n'),
    lines: [
      '7:10: run_dir: Expected ${NAME}, ${NAME:-default} or ${NAME:?message}, found "${A:-${B}"; they do not nest',
    ],
  },
  {
    what: 'what an environment variable brings in',
    yaml: after('limits:\n  queue: ${QUEUE}\n'),
    env: { QUEUE: 'many' },
    lines: ['8:10: limits.queue: Expected a whole number of at least 0, found "many"'],
  },
  {
    what: 'a duplicate key, and the mistakes next to it',
    yaml: after('user: a\nuser: b\ngruop: c\n'),
    lines: [
      '8:1: The key stands twice in the same mapping',
      '9:1: gruop: Unknown key; did you mean "group"?',
    ],
  },
  { what: 'a tab', yaml: 'a:\n\t- b\n', lines: ['2:1: Tabs are not allowed as indentation'] },
  { what: 'an open quote', yaml: 'a: "x\n', lines: ['2:1: Missing closing "quote'] },
  {
    what: 'a second document',
    yaml: after('---\na: 1\n'),
    lines: ['7:1: Expected one YAML document, found a second one after "---"'],
  },
  {
    what: 'an older YAML',
    yaml: `%YAML 1.1\n---\n${BASE}`,
    lines: ['1:1: Expected YAML 1.2, found "%YAML 1.1"'],
  },
  {
    what: 'a tag',
    yaml: after('user: !!js/function x\n'),
    lines: ['7:7: Tags are not supported: Unresolved tag: tag:yaml.org,2002:js/function'],
  },
  {
    what: 'an IPv6 address without quotes',
    yaml: 'listeners:\n  - address: [::1]:80\n',
    lines: ['2:19: Unexpected scalar at node end; put the IPv6 address in quotes'],
  },
  {
    what: 'an alias without an anchor, and one that contains itself',
    yaml: after('user: *nobody\nlimits: &l {queue: *l}\n'),
    lines: [
      '7:7: user: The alias *nobody has no anchor &nobody before it',
      '8:20: limits.queue: The alias *l contains itself',
    ],
  },
  {
    what: 'keys that mean something to JavaScript or YAML',
    yaml: after('__proto__: {workers: 1}\nconstructor: 1\nlimits:\n  <<: {queue: 1}\n? [a]\n: 1\n'),
    lines: [
      '1:1: Expected a text as key, found a list, a mapping or nothing',
      '7:1: __proto__: This key is not allowed',
      '8:1: constructor: Unknown key; known here: listeners, workers, run_dir, user, group, limits, timeouts, recycle, mounts, admin, log',
      '10:3: limits["<<"]: Merge keys are not supported; write the keys out',
    ],
  },
];

describeMistakes('mistakes in YAML and in the environment', CASES);
