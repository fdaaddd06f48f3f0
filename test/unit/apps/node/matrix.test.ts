// The same handlers under node:http and under the adapter: whatever they do, the client cannot tell.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect } from 'chai';
import { nodeApplication } from '../../../../src/apps/node/application.ts';
import { servedApplication } from '../../../../src/apps/node/served.ts';
import { answerOf, NodeTwins } from '../../../helpers/node-twins.ts';
import { waitFor } from '../../../helpers/wait.ts';
import { CASES } from './handlers.ts';

const TECHNIQUES = { 'the adapter': nodeApplication, 'its stand-in': servedApplication };

/** Notes by the side that wrote them; the header tells which that is. */
const notes = new Map<string, unknown[]>();

function dispatch(req: IncomingMessage, res: ServerResponse): unknown {
  const [name = '', side = ''] = String(req.headers['x-case']).split('|');
  Reflect.deleteProperty(req.headers, 'x-case');
  const list: unknown[] = [];
  notes.set(side, list);
  return CASES[name]?.handler(req, res, (text) => list.push(text));
}

for (const [technique, adapt] of Object.entries(TECHNIQUES)) {
  describe(`apps/node: handlers under ${technique} and under node:http`, () => {
    let twins: NodeTwins;
    before(async () => {
      twins = await NodeTwins.start(() => dispatch, adapt);
    });
    after(() => twins?.stop());

    for (const [name, { request = {}, notes: count = 0 }] of Object.entries(CASES)) {
      it(name, async () => {
        const answers = [];
        for (const side of ['http', 'gate'] as const) {
          const options = {
            ...request,
            headers: [...(request.headers ?? []), ['X-Case', `${name}|${side}`] as const],
          };
          const call = side === 'http' ? twins.startPlain(options) : twins.startAdapted(options);
          const answer = answerOf(await call.done);
          await waitFor(() => (notes.get(side)?.length ?? 0) >= count, {
            what: `${count} notes of the ${side} one: ${JSON.stringify(notes.get(side))}`,
          });
          answers.push({ ...answer, body: answer.body.replace(`|${side}`, ''), notes: notes.get(side) });
        }
        expect(answers[1], name).to.deep.equal(answers[0]);
      });
    }
  });
}
