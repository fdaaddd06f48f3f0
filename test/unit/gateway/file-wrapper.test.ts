// wsgi.file_wrapper over file-like objects and over node's own FileHandle.
import { expect } from 'chai';
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Body } from '../../../src/gateway/contract.ts';
import { fileWrapper } from '../../../src/gateway/file-wrapper.ts';
import { answering, run } from '../../helpers/fake-gateway.ts';
import { bytes } from '../../helpers/mini-gateway.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';

async function blocksOf(body: Body): Promise<string[]> {
  const blocks: string[] = [];
  for await (const block of body) blocks.push(Buffer.from(block).toString('latin1'));
  return blocks;
}

/** A file-like object over some blocks, with the sizes it was asked for. */
function fileOf(...blocks: string[]): { read: (size?: number) => Uint8Array; sizes: unknown[] } {
  const sizes: unknown[] = [];
  const rest = [...blocks];
  return {
    sizes,
    read: (size) => {
      sizes.push(size);
      return bytes(rest.shift() ?? '');
    },
  };
}

const isClosed = (handle: FileHandle): boolean => handle.fd === -1;

describe('wsgi.file_wrapper', () => {
  let folder = '';
  let name = '';
  before(async () => {
    folder = await makeTempDir();
    name = join(folder, 'file');
    await writeFile(name, 'abcdefghij');
  });
  after(() => removeTempDir(folder));

  it('reads blocks of 64 KiB unless told, to the first empty one', async () => {
    const file = fileOf('ab', 'c');
    expect(await blocksOf(fileWrapper(file))).to.deep.equal(['ab', 'c']);
    expect(file.sizes).to.deep.equal([65_536, 65_536, 65_536]);
    const small = fileOf('ab');
    await blocksOf(fileWrapper(small, 2));
    expect(small.sizes).to.deep.equal([2, 2]);
  });

  it('takes a read() that gives promises, and needs no close()', async () => {
    const rest = ['ab', ''];
    const body = fileWrapper({ read: async () => bytes(rest.shift() ?? '') });
    expect(await blocksOf(body)).to.deep.equal(['ab']);
    await body.close?.();
  });

  it('calls read() and close() on the file itself', async () => {
    const file = {
      content: 'ab',
      closed: 0,
      read(): Uint8Array {
        const block = bytes(this.content);
        this.content = '';
        return block;
      },
      async close(): Promise<void> {
        this.closed += 1;
      },
    };
    const body = fileWrapper(file);
    expect(await blocksOf(body)).to.deep.equal(['ab']);
    await body.close?.();
    expect(file.closed).to.equal(1);
  });

  it('reads a FileHandle from its position on, and closes it', async () => {
    const handle = await open(name);
    await handle.read(Buffer.alloc(3), 0, 3, null);
    const body = fileWrapper(handle, 4);
    expect(await blocksOf(body)).to.deep.equal(['defg', 'hij']);
    await body.close?.();
    expect(isClosed(handle)).to.equal(true);
  });

  it('reads a FileHandle in one block where it is small', async () => {
    const handle = await open(name);
    const body = fileWrapper(handle);
    expect(await blocksOf(body)).to.deep.equal(['abcdefghij']);
    await body.close?.();
  });

  it('closes the FileHandle of a response that is cut short, or to HEAD', async () => {
    for (const method of ['GET', 'HEAD']) {
      const handle = await open(name);
      const { exchange } = await run(
        (environ, start) => {
          const body = environ['wsgi.file_wrapper'](handle, 2);
          return answering(body, [['Content-Length', '3']])(environ, start);
        },
        { method },
      );
      expect([exchange.sent, exchange.ended]).to.deep.equal([method === 'HEAD' ? '' : 'abc', true]);
      expect(isClosed(handle)).to.equal(true);
    }
  });

  it('takes an object that only has a number called fd for the file-like object it is', async () => {
    expect(await blocksOf(fileWrapper({ ...fileOf('ab'), fd: 5 }))).to.deep.equal(['ab']);
    expect(
      await blocksOf(fileWrapper({ ...fileOf('ab'), fd: 'x', createReadStream: 1 } as never)),
    ).to.deep.equal(['ab']);
  });

  it('refuses what has no read()', () => {
    for (const file of [null, undefined, {}, { read: 1 }, 'text']) {
      expect(() => fileWrapper(file as never)).to.throw(
        TypeError,
        /^Cannot wrap file: it has no read\(size\) method$/,
      );
    }
  });
});
