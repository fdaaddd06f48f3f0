// A part of an open file as what wsgi.file_wrapper takes: read(size) and close().
import { Buffer } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import type { FileLike } from '../../gateway/contract.ts';

/** Never more than `length` bytes, however the file grows; the handle is closed with it. */
export class FilePart implements FileLike {
  readonly #handle: FileHandle;
  #at: number;
  #left: number;

  constructor(handle: FileHandle, start: number, length: number) {
    this.#handle = handle;
    this.#at = start;
    this.#left = length;
  }

  async read(size: number = this.#left): Promise<Uint8Array> {
    const wanted = Math.min(size, this.#left);
    if (wanted === 0) return Buffer.alloc(0);
    const { bytesRead, buffer } = await this.#handle.read(Buffer.allocUnsafe(wanted), 0, wanted, this.#at);
    this.#at += bytesRead;
    this.#left -= bytesRead;
    return buffer.subarray(0, bytesRead);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
