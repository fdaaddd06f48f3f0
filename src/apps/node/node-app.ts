// An app of node:http as the adapter runs it, whatever it was exported as. A type, and how such an app gets its req and res.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface NodeApp {
  /** What it returns is only looked at when it is a promise: its rejection is the failure of the request. */
  readonly handle: (req: IncomingMessage, res: ServerResponse) => unknown;
  /** The server it belongs to, which never listens; its 'upgrade' listeners get upgrades. null: it has none. */
  readonly server: Server | null;
  /** Makes its req and res; see kinds.ts for why that is not the same for all. */
  readonly kinds: MessageKinds;
}

export interface MessageKinds {
  readonly newRequest: (socket: Socket) => IncomingMessage;
  readonly newResponse: (req: IncomingMessage) => ServerResponse;
}
