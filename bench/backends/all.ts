// Every backend, in the order of the table. The first is what the ratios are against.
import type { Backend } from '../lib/backend.ts';
import { goFcgi } from './go.ts';
import { nodeFastcgi, nodeHttp } from './node.ts';
import { phpFpm } from './php-fpm.ts';
import { gunicorn, uwsgi } from './python.ts';
import { viaductBackends } from './viaduct.ts';

export const BASELINE: Backend = nodeHttp;
export const BACKENDS: readonly Backend[] = [
  nodeHttp,
  ...viaductBackends,
  uwsgi,
  nodeFastcgi,
  goFcgi,
  phpFpm,
  gunicorn,
];
