// Apps of node:http: a plain handler, Express and Fastify, each in viaduct and under its own server.
import { type NodeAppName, underNode, underViaduct } from '../backends/node-apps.ts';
import { PAGE_COLUMNS, ratioColumn } from '../lib/columns.ts';
import { behindNginx } from '../lib/measure.ts';
import type { Scenario } from '../lib/scenario.ts';
import { askHello } from './hello.ts';

const APPS: readonly NodeAppName[] = ['plain', 'express', 'fastify'];
const PAGE = { app: 'hello', drive: askHello } as const;

export const nodeApps: Scenario = {
  name: 'node-apps',
  title: 'Hello in apps of node:http',
  about: ['the small page from a (req, res) function, from Express 5 and from Fastify 5'],
  // What is compared differs by less than the rounds do.
  rounds: 7,
  cases: APPS.flatMap((app) => [behindNginx(underNode(app), PAGE), behindNginx(underViaduct(app), PAGE)]),
  ratios: APPS.map((app) => ratioColumn(`CPU/request : ${app}, node:http`, 'cpu', underNode(app).name)),
  figures: PAGE_COLUMNS,
};
