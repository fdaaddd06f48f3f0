// wsgi.file_wrapper: a file-like object as an iterable of blocks (PEP 3333, "Optional Platform-Specific File Handling").
import { Buffer } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import type { Body, FileLike } from './contract.ts';

const DEFAULT_BLOCK_SIZE = 64 * 1024;

/** Reads from where the file stands to its end; nothing is read before the gateway iterates. */
export class FileWrapper implements AsyncIterable<Uint8Array> {
  readonly #file: FileLike;
  readonly #blockSize: number;

  constructor(file: FileLike, blockSize: number) {
    this.#file = file;
    this.#blockSize = blockSize;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const block = await this.#file.read(this.#blockSize);
      if (block.length === 0) return;
      yield block;
    }
  }

  async close(): Promise<void> {
    await this.#file.close?.();
  }
}

/**
 * Wraps anything with `read(size)`, or a FileHandle. `blockSize` is in bytes.
 * @throws {TypeError} when `file` has no read method
 */
export function fileWrapper(file: FileLike | FileHandle, blockSize: number = DEFAULT_BLOCK_SIZE): Body {
  if (typeof file?.read !== 'function') throw new TypeError('Cannot wrap file: it has no read(size) method');
  return new FileWrapper(isFileHandle(file) ? fromHandle(file) : file, blockSize);
}

const isFileHandle = (file: FileLike | FileHandle): file is FileHandle =>
  'fd' in file && typeof file.fd === 'number' && 'createReadStream' in file;

/** FileHandle.read() fills a buffer; a file-like object gives the bytes. Both go on from the current position. */
function fromHandle(handle: FileHandle): FileLike {
  return {
    async read(size = DEFAULT_BLOCK_SIZE): Promise<Uint8Array> {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(size), 0, size, null);
      return buffer.subarray(0, bytesRead);
    },
    close: () => handle.close(),
  };
}
