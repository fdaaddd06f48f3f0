// Every scenario, in the order of the report.
import type { Scenario } from '../lib/scenario.ts';
import { accessLog } from './access-log.ts';
import { bulkScenarios } from './bulk.ts';
import { connections } from './connections.ts';
import { decode } from './decode.ts';
import { fetchApps } from './fetch-apps.ts';
import { hello } from './hello.ts';
import { idle } from './idle.ts';
import { metrics } from './metrics.ts';
import { nodeApps } from './node-apps.ts';
import { json, params } from './pages.ts';
import { pythonScenarios } from './python.ts';

export const SCENARIOS: readonly Scenario[] = [
  hello,
  json,
  params,
  connections,
  metrics,
  accessLog,
  ...bulkScenarios,
  idle,
  decode,
  fetchApps,
  ...pythonScenarios,
  nodeApps,
];
