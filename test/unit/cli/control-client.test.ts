// The client of the control socket, where nobody answers.
import { expect } from 'chai';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ask } from '../../../src/cli/control-client.ts';
import { EXIT } from '../../../src/cli/exit-codes.ts';
import type { Io } from '../../../src/cli/io.ts';
import { makeTempDir, removeTempDir } from '../../helpers/temp.ts';

describe('cli/control-client', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await makeTempDir();
    await mkdir(join(folder, 'run'));
    await writeFile(join(folder, 'viaduct.yaml'), 'run_dir: run\n');
  });
  afterEach(() => removeTempDir(folder));

  it('gives up on an answer after its limit, and says so', async () => {
    const server = createServer(() => undefined).listen(join(folder, 'run/control.sock'));
    await once(server, 'listening');
    let said = '';
    const io: Io = { cwd: folder, env: {}, stdout: () => undefined, stderr: (text) => (said += text) };
    const answer = await ask({ config: undefined, method: 'GET', path: '/status', limit: 50 }, io);
    server.close();
    expect(answer).to.equal(EXIT.unavailable);
    expect(said).to.match(/^viaduct: Cannot get an answer at \S+: viaduct was silent for 50 ms\n$/);
  });
});
