// The gateway application of an app of node:http.
import type { Application } from '../../gateway/contract.ts';
import { Conversation } from './conversation.ts';
import type { NodeApp } from './node-app.ts';

export function nodeApplication(app: NodeApp): Application {
  return (environ, startResponse) => new Conversation(app, environ, startResponse).run(app.handle);
}
