// The status page in a real browser, served by a real viaduct that has something to show: requests of JavaScript and Python
// apps, errors, a reload, a worker that is stuck.
import { expect } from 'chai';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { Status } from '../../src/observe/status-data.ts';
import { fixtureApp } from '../helpers/bridge.ts';
import { startBrowser } from '../helpers/browser.ts';
import { runViaduct } from '../helpers/cli.ts';
import { type Daemon, startDaemon } from '../helpers/daemon.ts';
import { type HttpResponse, request, startCall } from '../helpers/http-client.ts';
import { projectRoot } from '../helpers/project.ts';
import { pythonMount } from '../helpers/python.ts';
import { waitFor } from '../helpers/wait.ts';

const HOSTILE = `/gate/%22%3E<script>window.owned=1</script><img/src=x/onerror=owned=1>?id=hostile`;
interface AxeResults {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
  readonly passes: readonly object[];
}

const BLOCK = `export function application(environ, startResponse) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(environ.QUERY_STRING));
  startResponse('200 OK', []);
  return [];
}
`;

describe('the status page', function () {
  this.timeout(30_000);
  let daemon: Daemon;
  let browser: Browser;
  let base = '';
  let axe = '';

  before(async () => {
    [daemon, browser, axe] = await Promise.all([
      startDaemon({
        config: {
          listeners: [{ address: 'unix:{{dir}}/http.sock', protocol: 'http' }],
          admin: { address: '127.0.0.1:{{port:admin}}' },
          timeouts: { graceful: '1s' },
          mounts: [
            { path: '/', name: 'front', app: 'viaduct:hello' },
            { path: '/fail', app: fixtureApp('fail') },
            { path: '/gate', app: fixtureApp('gate') },
            { path: '/block', app: './block.js' },
            { path: '/py', ...pythonMount('behaviours:application') },
          ],
        },
        files: { 'block.js': BLOCK },
      }),
      startBrowser(),
      readFile(join(projectRoot, 'node_modules/axe-core/axe.min.js'), 'utf8'),
    ]);
    base = `http://127.0.0.1:${daemon.port('admin')}/`;
    await get('/fail?when=before');
    await get('/py/raises_chained');
  });
  after(async () => {
    await browser.close();
    await daemon.remove();
  });

  const get = (path: string): Promise<HttpResponse> => request({ socketPath: daemon.socket('http'), path });
  const status = async (): Promise<Status> => (await (await fetch(`${base}status.json`)).json()) as Status;

  /** Opens the page; what it logged and whom it asked is looked at in the end. */
  async function visit(
    options: BrowserContextOptions,
    look: (page: Page) => Promise<void>,
    path = '',
  ): Promise<void> {
    const context = await browser.newContext(options);
    try {
      const page = await context.newPage();
      const complaints: string[] = [];
      const strangers: string[] = [];
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('request', (sent) => {
        if (!sent.url().startsWith(base) && !sent.url().startsWith('data:')) strangers.push(sent.url());
      });
      await page.goto(base + path);
      await look(page);
      expect(complaints, 'console').to.deep.equal([]);
      expect(strangers, 'requests to others').to.deep.equal([]);
      expect(await page.evaluate('"owned" in window'), 'markup of others runs').to.equal(false);
    } finally {
      await context.close();
    }
  }

  const textOf = (page: Page, selector: string): Promise<string> =>
    page.evaluate(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ''`);
  const waitForText = (page: Page, selector: string, pattern: RegExp): Promise<string> =>
    waitFor(
      async () => {
        const text = await textOf(page, selector);
        return pattern.test(text) && text;
      },
      { what: `${selector} to say ${pattern}`, timeout: 8000, interval: 50 },
    );

  it('moves under load', () =>
    visit({}, async (page) => {
      expect(await textOf(page, '[data-key="front"] .total')).to.equal('0');
      await Promise.all(Array.from({ length: 120 }, () => get('/')));
      expect(await waitForText(page, '[data-key="front"] .total', /^\d{2,}/)).to.equal('120');
      await waitForText(page, '[data-key="front"]', /<5 ms/);
      const plotted = `document.querySelector('[data-key="front"] .line').getAttribute('d')`;
      await waitFor(async () => /L/.test(await page.evaluate<string>(plotted)), {
        what: 'a plot of the load',
        timeout: 10_000,
        interval: 100,
      });
    }));

  it('shows errors with their tracebacks, and keeps open what is open', () =>
    visit({}, async (page) => {
      const errors = await textOf(page, '.errors');
      expect(errors).to.match(/\/fail\s.*broken before its headers\s.*at application .*fail\.js:\d+/s);
      expect(errors).to.match(/\/py\s.*ValueError.*Traceback \(most recent call last\):\s.*behaviours\.py/s);
      await page.focus('.errors li:last-child summary');
      await page.keyboard.press('Enter');
      const before = await textOf(page, '.asof');
      await get('/fail?when=before');
      await waitForText(page, '.errors li:first-child', /2 times/);
      expect(await textOf(page, '.asof')).not.to.equal(before);
      expect(await page.evaluate(`document.querySelectorAll('.errors details[open]').length`)).to.equal(1);
      expect(await page.evaluate(`document.activeElement.nodeName`)).to.equal('SUMMARY');
    }));

  it('shows what runs, whatever its path is', () =>
    visit({}, async (page) => {
      const call = startCall({ socketPath: daemon.socket('http'), path: HOSTILE });
      await call.waitForBytes(6);
      expect(await waitForText(page, '.uri', /hostile/)).to.equal(HOSTILE);
      await request({ socketPath: daemon.socket('http'), path: '/gate?id=hostile', method: 'POST' });
      await call.done;
      await waitForText(page, 'body', /Running requests\s+None now/);
    }));

  it('works without JavaScript', () =>
    visit({ javaScriptEnabled: false }, async (page) => {
      expect(await page.locator('[data-key="front"] .total').textContent()).to.equal('120');
      expect(await page.locator('.errors li').count()).to.equal(2);
      await page.getByRole('link', { name: 'load them again' }).click();
      expect(await page.locator('h1').textContent()).to.match(/viaduct/);
    }));

  it('rests while it is hidden', () =>
    visit({}, async (page) => {
      let asked = 0;
      page.on('request', () => (asked += 1));
      const hide = (isHidden: boolean): Promise<unknown> =>
        page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true });
          document.dispatchEvent(new Event('visibilitychange'));`);
      await page.clock.install();
      await page.reload();
      asked = 0;
      await hide(true);
      await page.clock.runFor(60_000);
      expect(asked).to.equal(0);
      await hide(false);
      await page.clock.runFor(10);
      await waitFor(() => asked === 1, { what: 'it to ask at once' });
    }));

  it('is accessible, light and dark, on a desk and on a phone, and never scrolls sideways', () =>
    visit(
      {},
      async (page) => {
        await page.evaluate(`for (const each of document.querySelectorAll('details')) each.open = true`);
        await page.evaluate(axe);
        for (const width of [1280, 390]) {
          await page.setViewportSize({ width, height: 800 });
          const widest = await page.evaluate(`document.documentElement.scrollWidth`);
          expect(widest).to.equal(width);
          for (const colorScheme of ['light', 'dark'] as const) {
            await page.emulateMedia({ colorScheme });
            const { violations, passes } = await page.evaluate<AxeResults>(`axe.run(document)`);
            expect(
              violations.map(({ id, nodes }) => [id, nodes[0]?.html]),
              `${colorScheme}, ${width} pixels`,
            ).to.deep.equal([]);
            expect(passes.length).to.be.greaterThan(20);
          }
        }
      },
      '?still',
    ));

  it('begins with a way past its head, and can be used with keys alone', () =>
    visit({}, async (page) => {
      await page.keyboard.press('Tab');
      expect(await page.evaluate(`document.activeElement.textContent`)).to.equal('Skip to the numbers');
      await page.keyboard.press('Enter');
      expect(await page.evaluate(`document.activeElement.id`)).to.equal('main');
      await page.keyboard.press('Tab');
      const focused = `document.activeElement.matches(':focus-visible') && document.activeElement.className`;
      expect(await page.evaluate(focused)).to.equal('scroll');
    }));

  it('tells of reloads, taken and rejected', () =>
    visit({}, async (page) => {
      const file = join(daemon.dir, 'viaduct.yaml');
      expect((await runViaduct(['reload', '-c', file])).code).to.equal(0);
      await waitForText(page, '.facts', /Generation\s*2\s.*1 ok, 0 rejected/s);
      const text = await readFile(file, 'utf8');
      await daemon.configure(text.replace('./block.js', './gone.js'));
      expect((await runViaduct(['reload', '-c', file])).code).to.equal(4);
      await waitForText(page, '.facts', /rejected\s+.*gone\.js/s);
      await waitForText(page, '.errors', /Reload rejected: .*gone\.js/);
    }));

  it('does not wait for a worker that is stuck', async () => {
    const before = await status();
    const blocked = get('/block?1500');
    // Asked before it is stuck, it says what it is about; asked later it says nothing.
    const isStuck = async (): Promise<boolean> => {
      const began = performance.now();
      expect((await fetch(base)).status).to.equal(200);
      // The 50 ms are what a page waits for.
      return performance.now() - began >= 45;
    };
    await waitFor(isStuck, { what: 'the worker to be stuck' });
    const times: number[] = [];
    while (times.length < 5) {
      const began = performance.now();
      expect((await fetch(base)).status).to.equal(200);
      times.push(performance.now() - began);
    }
    // The quickest: what else the machine does is not under test.
    expect(Math.min(...times)).to.be.below(150);
    expect((await blocked).status).to.equal(200);
    await waitFor(async () => (await status()).totals.requests > before.totals.requests, {
      what: 'its numbers',
    });
  });

  it("has php-fpm's fields", async () => {
    const found = (await (await fetch(`${base}status.json?php-fpm&full`)).json()) as Record<string, unknown>;
    expect(found).to.include({ pool: 'viaduct', 'total processes': 2, 'listen queue': 0 });
    expect(found['accepted conn']).to.be.greaterThan(120);
    expect(found['processes']).to.have.lengthOf(2);
  });

  it('says when nobody answers any more', async () => {
    const page = await browser.newPage();
    await page.goto(base);
    await waitForText(page, '#live', /^Updates every second/);
    await daemon.stop();
    await waitForText(page, '#live', /^No answer since \d\d:\d\d:\d\d UTC/);
    await page.close();
  });
});
