// The uwsgi side of the probe client: one packet with modifiers 0/0, the body behind it (uwsgi-docs, Protocol.rst).
import type { BytePair, Client } from './client.ts';
import { ClientFailure } from './failure.ts';
import { RawConversation } from './raw-conversation.ts';
import { converse } from './wire.ts';

/** The packet's size is a little-endian u16. */
const BLOCK_SIZE_MAX = 65_535;
const HEADER_SIZE = 4;

function encodePacket(params: readonly BytePair[]): Buffer {
  const size = params.reduce((sum, [name, value]) => sum + 4 + name.length + value.length, 0);
  if (size > BLOCK_SIZE_MAX) {
    throw new ClientFailure(
      `encoding the params failed: they take ${size} bytes, wanted at most ${BLOCK_SIZE_MAX}`,
      'nginx refuses such a request too: "uwsgi request is too big"',
    );
  }
  const packet = Buffer.alloc(HEADER_SIZE + size);
  packet.writeUInt16LE(size, 1);
  let at = HEADER_SIZE;
  for (const text of params.flat()) {
    at = packet.writeUInt16LE(text.length, at);
    at += packet.write(text, at, 'latin1');
  }
  return packet;
}

/** Sends one uwsgi request. */
export const requestUwsgi: Client = async (request, sink, signal) => {
  await converse(new RawConversation('uwsgi', encodePacket(request.params), request, sink), signal);
};
