// The SCGI side of the probe client: a netstring of NUL-terminated names and values, the body behind it (SCGI 1).
import type { BytePair, Client } from './client.ts';
import { RawConversation } from './raw-conversation.ts';
import { converse } from './wire.ts';

function encodeNetstring(params: readonly BytePair[]): Buffer {
  const headers = params.map(([name, value]) => `${name}\0${value}\0`).join('');
  return Buffer.from(`${headers.length}:${headers},`, 'latin1');
}

/** Sends one SCGI request. CONTENT_LENGTH must be its first param. */
export const requestScgi: Client = async (request, sink, signal) => {
  await converse(new RawConversation('scgi', encodeNetstring(request.params), request, sink), signal);
};
