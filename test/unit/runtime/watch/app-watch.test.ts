import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { pino } from 'pino';
import { AppWatch } from '../../../../src/runtime/watch/app-watch.ts';
import { waitFor } from '../../../helpers/wait.ts';
import { load, useFolder } from '../../config/fixture.ts';

const CONFIG = 'listeners: [{address: unix:v.sock, protocol: http}]\nmounts: [{path: /, app: ./app.js}]\n';

describe('runtime/watch/app-watch', () => {
  const folder = useFolder();
  let watch: AppWatch;
  const lines: string[] = [];
  let reloads = 0;
  /** What a reload does. */
  let during: () => unknown;

  beforeEach(() => {
    lines.length = 0;
    reloads = 0;
    during = () => undefined;
    const loaded = load(folder, CONFIG);
    watch = new AppWatch({
      loaded: () => loaded,
      reload: async () => {
        reloads += 1;
        await during();
        return { result: 'ok', reason: null, generation: reloads };
      },
      logger: pino({}, { write: (line: string) => void lines.push(line) }),
    });
  });
  afterEach(() => watch.close());

  const write = (text: string, name = 'app.js'): void => writeFileSync(join(folder.path, name), text);

  it('reloads once more for what changes during a reload', async () => {
    during = () => {
      during = () => undefined;
      write('second');
    };
    write('first');
    await waitFor(() => reloads === 2, { what: 'the second reload' });
  });

  it('takes a file that says the same as before for no change', async () => {
    write('same');
    await waitFor(() => reloads === 1, { what: 'the first reload' });
    write('same');
    write('marker', 'other.js');
    await waitFor(() => reloads === 2, { what: 'the reload for the other file' });
    expect(lines.at(-1)).to.contain('Changed: other.js; reloading');
  });

  it('gives a file up that every reload writes', async () => {
    let count = 0;
    during = () => write(`generated ${(count += 1)}`);
    write('first');
    await waitFor(() => lines.some((line) => line.includes('Not watching')), {
      what: 'the file to be given up',
    });
    expect(reloads).to.equal(10);
    during = () => undefined;
    write('marker', 'other.js');
    await waitFor(() => reloads === 11, { what: 'other files to be watched' });
  });
});
