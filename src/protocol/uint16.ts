// Big-endian 16-bit numbers, the lengths and ids of FastCGI.

/** Without the checks of readUInt16BE(), which cost more than the reading: the caller knows that both bytes are there. */
export const uint16 = (bytes: Buffer, at: number): number =>
  ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
