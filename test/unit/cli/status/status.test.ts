// `viaduct status` as text: tables that fit, lines that move, and a screen that is given back.
import { expect } from 'chai';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT } from '../../../../src/cli/exit-codes.ts';
import { sparkline } from '../../../../src/cli/status/sparkline.ts';
import { runStatus, terminalOf } from '../../../../src/cli/status/status.ts';
import { type Terminal, textTable } from '../../../../src/cli/status/text-table.ts';
import { statusText } from '../../../../src/cli/status/view.ts';
import { type Frame, watch } from '../../../../src/cli/status/watch.ts';
import { sampleStatus } from '../../../helpers/status.ts';

const PLAIN: Terminal = { columns: 80, isColoured: false, isUnicode: true };

describe('cli/status sparkline()', () => {
  it('has the newest at the right, and the highest of several', () => {
    expect(sparkline([], 4, 8)).to.equal('    ');
    expect(sparkline([0, 0, 7, 1], 4, 8)).to.equal('  ▁█');
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8, 8)).to.equal('▁▂▃▄▅▆▇█');
    expect(sparkline([1000, null, null, 1], 2, 4)).to.equal('█▂');
    expect(sparkline([1, null, null, 1], 100, 4)).to.equal('█  █');
  });
});

describe('cli/status textTable()', () => {
  const columns = [
    { title: 'NAME', least: 5 },
    { title: 'COUNT', isNumber: true },
    { title: 'MORE', drop: 1 },
  ];
  const rows = [[{ text: 'abcdefghij' }, { text: '1' }, { text: 'more' }]];

  it('drops what is least important, then cuts', () => {
    const at = (width: number): string => textTable(columns, rows, { ...PLAIN, columns: width });
    expect(at(80)).to.equal('NAME        COUNT  MORE\nabcdefghij      1  more\n');
    expect(at(20)).to.equal('NAME     COUNT  MORE\nabcdef…      1  more\n');
    expect(at(17)).to.equal('NAME        COUNT\nabcdefghij      1\n');
    expect(at(12)).to.equal('NAME   COUNT\nabcd…      1\n');
  });

  it('lets no control character through', () => {
    const hostile = [[{ text: 'a\u001b[2J\nb\u202e' }, { text: '1' }, { text: '' }]];
    expect(textTable(columns, hostile, PLAIN)).to.contain('a\\u001b[2J\\nb\\u202e');
    expect(textTable(columns, [[{ text: 'Zoë–' }]], { ...PLAIN, isUnicode: false })).to.contain('Zo?-');
  });
});

describe('cli/status statusText()', () => {
  it('fits 80 columns, and uses more', () => {
    const text = statusText(sampleStatus(), PLAIN);
    const widths = (all: string): number =>
      Math.max(...all.split('\n').map((line) => Array.from(line).length));
    expect(widths(text)).to.be.at.most(80);
    const wide = statusText(sampleStatus(), { ...PLAIN, columns: 160 });
    expect(widths(wide)).to.be.within(81, 160);
    for (const expected of [
      /^viaduct 1\.2\.3, pid 100, up 4m 5s, ready$/m,
      /^generation 2, reloads: 1 ok, 0 rejected, the last at 03:03:00 UTC: ok$/m,
      /^12 requests\/s, p50 12 ms, p99 256 ms, errors 5\.0 %, 3 running, 1 waiting$/m,
      /^api .* 12 .* █ +12 ms +256 ms .* 5\.0 % +3 +1$/m,
      /^0 +node .* 101 +ready +1m 0s +1,000 +4 +90 MiB +42 % +2$/m,
      /^0 +python +\/blog +102 +ready /m,
      /^1 +node +– +dead /m,
      /^unix:\/run\/viaduct\.sock +fastcgi +4 +1 +5 +20 +0$/m,
      /^ +3\.25 s +running +GET +\/api\/slow\?x=1 +api +abc$/m,
      /^03:04:00 UTC +3 +api +Request failed: no database$/m,
    ])
      expect(wide).to.match(expected);
  });

  it('is ASCII where the terminal is, and has colours only where they are wanted', () => {
    const ascii = statusText(sampleStatus(), { ...PLAIN, isUnicode: false });
    expect(ascii).to.match(/^[\n -~]*$/);
    expect(statusText(sampleStatus(), { ...PLAIN, isColoured: true })).to.contain('\u001b[32mready\u001b[0m');
  });

  it('asks the environment what the terminal can show', () => {
    const screen = { columns: () => 100, rows: () => 30 };
    const of = (env: Record<string, string>, isScreen = true): Terminal =>
      terminalOf({ env, ...(isScreen ? { screen } : {}) });
    expect(of({ LANG: 'en_GB.UTF-8' })).to.deep.equal({ columns: 100, isColoured: true, isUnicode: true });
    expect(of({ LANG: 'en_GB.UTF-8', LC_ALL: 'C' }).isUnicode).to.equal(false);
    expect(of({ NO_COLOR: '1' }).isColoured).to.equal(false);
    expect(of({ TERM: 'dumb' }).isColoured).to.equal(false);
    expect(of({}, false)).to.deep.equal({ columns: Infinity, isColoured: false, isUnicode: false });
    expect(of({ COLUMNS: '90' }, false).columns).to.equal(90);
  });

  it('refuses an interval that is none', async () => {
    for (const interval of ['5', 'soon', '1ms']) {
      let said = '';
      const io = { stdout: () => undefined, stderr: (text: string) => (said += text), cwd: '/', env: {} };
      expect(await runStatus(['--interval', interval], io), interval).to.equal(EXIT.usage);
      expect(said).to.match(/^viaduct: Cannot use --interval: Expected /);
    }
  });
});

describe('cli/status watch()', () => {
  const GONE: Frame = { problem: 'viaduct: gone\n', exitCode: EXIT.unavailable };
  /** Shows these frames, the last one until it is ended. */
  async function show(
    frames: Frame[],
    lines: number | null,
  ): Promise<{ code: number; out: string; err: string }> {
    const ended = new AbortController();
    let [out, err] = ['', ''];
    let at = 0;
    const watching = watch({
      next: async () => {
        const frame = frames[Math.min(at, frames.length - 1)] ?? GONE;
        at += 1;
        if (at === frames.length + 2) ended.abort();
        return frame;
      },
      interval: 1,
      lines: lines === null ? null : () => lines,
      stdout: (text) => (out += text),
      stderr: (text) => (err += text),
      signal: ended.signal,
    });
    const code = await Promise.race([watching, sleep(2000, -1)]);
    return { code, out, err };
  }

  it('draws over what was there, cut to the screen, and gives the cursor back', async () => {
    const { code, out } = await show([{ text: 'a\nb\nc\nd\n' }], 3);
    expect(code).to.equal(EXIT.ok);
    expect(out.split('\u001b[H')[1]).to.equal('a\u001b[K\nb\u001b[K\n\u001b[J');
    expect(out)
      .to.satisfy((text: string) => text.startsWith('\u001b[?25l\u001b[2J'))
      .and.to.satisfy((text: string) => text.endsWith('\u001b[?25h'));
  });

  it('goes on where viaduct is gone for a while, and says so', async () => {
    const back = await show([{ text: 'a\n' }, GONE, { text: 'b\n' }], 10);
    expect(back.code).to.equal(EXIT.ok);
    expect(back.out).to.contain('viaduct: gone').and.to.contain('b\u001b[K');
    const left = await show([{ text: 'a\n' }, GONE, GONE], null);
    expect(left).to.deep.equal({ code: EXIT.unavailable, out: 'a\n', err: 'viaduct: gone\n' });
  });

  it('does not wait for one who was never there', async () => {
    expect(await show([GONE], 10)).to.deep.equal({ code: EXIT.unavailable, out: '', err: 'viaduct: gone\n' });
  });
});
