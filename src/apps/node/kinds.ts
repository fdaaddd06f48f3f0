// How req and res are made: as node:http does, or, for Express, with the prototypes that it would give them anyway.
// Hot code: it runs for every request.
import { IncomingMessage, ServerResponse } from 'node:http';
import type { ExpressLike } from '../frameworks.ts';
import type { MessageKinds } from './node-app.ts';

export const PLAIN_KINDS: MessageKinds = {
  newRequest: (socket) => new IncomingMessage(socket),
  newResponse: (req) => new ServerResponse(req),
};

/**
 * Express replaces the prototypes of req and res with each request, which is what an app of it costs most in V8 before 13
 * (docs/decisions/0015). On an object that has the prototype already this does nothing.
 */
export function expressKinds({ request, response }: ExpressLike): MessageKinds {
  const Request = kindOf(IncomingMessage, request);
  const Response = kindOf(ServerResponse, response);
  return {
    newRequest: (socket) => Request(socket) as IncomingMessage,
    newResponse: (req) => Response(req) as ServerResponse,
  };
}

type Constructor = abstract new (argument: never) => object;

/** Constructors of node:http are functions, so far: where they can be called, that is faster before V8 12 and slower since. */
function kindOf(base: Constructor, prototype: object): (argument: unknown) => object {
  const construct = Function.prototype.call.bind(base as unknown as () => void);
  function Kind(this: object, argument: unknown): void {
    construct(this, argument);
  }
  Kind.prototype = prototype;
  const Target = Kind as unknown as new (argument: unknown) => object;
  if (Number.parseInt(process.versions.v8, 10) < 12) return (argument) => new Target(argument);
  return (argument) => Reflect.construct(base, [argument], Target) as object;
}
