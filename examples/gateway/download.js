// A file as the response, through wsgi.file_wrapper: the server reads it piece by piece, at the client's pace.
//
//   curl -OJ http://127.0.0.1:8080/download
import { open } from 'node:fs/promises';

// This very file. An app that takes names from the request must check that they stay in its folder.
const FILE = new URL('download.js', import.meta.url);

/** @type {import('viaduct').Application} */
export const application = async (environ, startResponse) => {
  const file = await open(FILE);
  try {
    const { size, mtime } = await file.stat();
    startResponse('200 OK', [
      ['Content-Type', 'text/javascript; charset=utf-8'],
      // With the length told, a client can tell a download that was cut short.
      ['Content-Length', String(size)],
      ['Content-Disposition', 'attachment; filename="download.js"'],
      ['Last-Modified', mtime.toUTCString()],
    ]);
    // Takes anything with read(size) and, if it likes, close(): which is called exactly once, also when the client
    // leaves half-way. For a HEAD request viaduct drops what it reads, and closes.
    return environ['wsgi.file_wrapper'](new OpenFile(file));
  } catch (error) {
    await file.close();
    throw error;
  }
};

/** A file handle of node:fs as the file-like object that PEP 3333 has in mind. */
class OpenFile {
  #handle;

  constructor(handle) {
    this.#handle = handle;
  }

  async read(size = 64 * 1024) {
    // An empty result is the end of the file.
    const { buffer, bytesRead } = await this.#handle.read(Buffer.allocUnsafe(size), 0, size, null);
    return buffer.subarray(0, bytesRead);
  }

  close() {
    return this.#handle.close();
  }
}
