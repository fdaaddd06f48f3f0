// The page as text: what is in it, and that nothing of a client or an application becomes markup.
import { expect } from 'chai';
import { html, Html } from '../../../../src/observe/status-page/html.ts';
import { renderPage } from '../../../../src/observe/status-page/page.ts';
import { plot } from '../../../../src/observe/status-page/plot.ts';
import { sampleStatus } from '../../../helpers/status.ts';

const HOSTILE = `"><script>alert(1)</script><img src=x onerror='a()'>&lt;\u202e\u0000\u001b[2J</pre></title>`;

/** The sample with every text replaced. */
function poisoned(value: unknown): unknown {
  if (typeof value === 'string') return /^\d{4}-\d\d-/.test(value) ? value : HOSTILE;
  if (Array.isArray(value)) return value.map(poisoned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, poisoned(each)]));
}

describe('observe/status-page html``', () => {
  it('escapes text, between tags and in attributes', () => {
    expect(html`<p title="${'"&\''}">${'<b>'}</p>`.toString()).to.equal(
      '<p title="&quot;&amp;&#39;">&lt;b&gt;</p>',
    );
  });

  it('shows characters that hide or turn around others', () => {
    expect(html`${'a\u202eb\u0000c\u001b[2J\nd'}`.toString()).to.equal('a\\u202eb\\u0000c\\u001b[2J\nd');
  });

  it('leaves out what is nothing, joins lists, and keeps markup', () => {
    expect(html`${null}${undefined}${false}${0}${[html`<i>${'<'}</i>`, 'x']}`.toString()).to.equal(
      '0<i>&lt;</i>x',
    );
    expect(html`${Html.trusted('<hr>')}`.toString()).to.equal('<hr>');
  });
});

describe('observe/status-page', () => {
  it('has every number in the HTML', () => {
    const { text } = renderPage(sampleStatus(), true);
    const words = text
      .replaceAll(/<style>.*?<\/style>|<script.*?<\/script>/gs, '')
      .replaceAll(/<[^>]*>/g, ' ');
    for (const expected of [
      /viaduct\s+1\.2\.3/,
      /Ready/,
      /Up\s+4m 5s/,
      /Generation\s+2/,
      /1 ok, 0 rejected/,
      /2026-01-02 03:03:00\s+ok/,
      /api\s+example\.com\/api · wsgi/,
      /12 ms\s+p50\s+256 ms\s+p99/,
      /5\.0 %/,
      /3\s+running\s+1\s+waiting/,
      /node 0\s+JavaScript\s+101\s+ready\s+1m 0s\s+1,000\s+4\s+90 MiB\s+42 %/,
      /python 0\s+Python, \/blog\s+102/,
      /node 1\s+JavaScript\s+–\s+dead/,
      /3\.25 s\s+running\s+GET\s+\/api\/slow\?x=1\s+api\s+0\s+abc/,
      /Request failed: no database\s+3 times/,
      /at fail \(\/srv\/app\.js:1:2\)/,
      /unix:\/run\/viaduct\.sock\s+fastcgi\s+4\s+1\s+5\s+20\s+0\s+3/,
    ])
      expect(words).to.match(expected);
  });

  it('is the same markup whatever the texts are', () => {
    const good = sampleStatus();
    const bad = poisoned(good) as typeof good;
    // Words the code goes by stay.
    const workers = bad.workers.map((worker, at) => ({
      ...worker,
      state: good.workers[at]?.state ?? 'dead',
    }));
    const last = bad.last_reload && { ...bad.last_reload, result: 'ok' as const };
    const tags = (text: string): string[] =>
      [...text.matchAll(/<(\/?[a-z!][^\s>]*)/gi)].map(([, name = '']) => name.toLowerCase());
    const { text } = renderPage({ ...bad, workers, last_reload: last }, false);
    expect(text).not.to.contain('<script').and.not.to.contain('<img').and.not.to.contain('\u202e');
    const { text: harmless } = renderPage(good, false);
    expect(tags(text)).to.deep.equal(tags(harmless));
    expect(text).to.contain('&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;');
  });

  it('says why it is not ready, what was rejected, and what no mount has', () => {
    const { text } = renderPage(
      sampleStatus({
        ready: false,
        reasons: ['mount api did not boot: no'],
        last_reload: {
          time: '2026-01-02T03:03:00.000Z',
          result: 'rejected',
          reason: 'why\n  at x',
          duration_seconds: 1,
        },
        unmatched: { ...sampleStatus().unmatched, requests: 5 },
      }),
      true,
    );
    expect(text).to.contain('<title>Not ready: viaduct</title>').and.to.contain('mount api did not boot: no');
    expect(text)
      .to.match(/class="reason"\s*>why</)
      .and.to.contain('no mount');
  });

  it('names nothing outside, and no handler', () => {
    const { text } = renderPage(sampleStatus(), true);
    const targets = [...text.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, target = '']) => target);
    expect(targets.length).to.be.greaterThan(8);
    expect(
      targets.filter((target) => !/^(#\w+|\?\w*|[a-z]+(\.json)?|data:image\/svg\+xml,.*)$/s.test(target)),
    ).to.deep.equal([]);
    expect(text).not.to.match(/\son\w+=|style=/);
  });
});

describe('observe/status-page plot()', () => {
  const paths = (values: (number | null)[], kind: 'main' | 'bad' = 'main'): string =>
    /class="line [a-z]+"\s+d="([^"]*)"/.exec(
      plot({ lines: [{ values, kind }], label: 'x', atLeast: 1 }).toString(),
    )?.[1] ?? '?';

  it('has the newest at the right, and a gap where there is nothing', () => {
    expect(paths([])).to.equal('');
    expect(paths([0, 2])).to.equal('M177.5 28.5L178 28.5L179 1.5');
    expect(paths([2, null, 2])).to.equal('M176.5 1.5L177 1.5M178.5 1.5L179 1.5');
  });

  it('of what is wrong: shows nothing while nothing is', () => {
    expect(paths([0, 0, 0], 'bad')).to.equal('');
    expect(paths([0, 0, 2, 0, 0], 'bad')).to.equal('M175.5 28.5L176 28.5L177 1.5L178 28.5');
  });
});
