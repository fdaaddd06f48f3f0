// The whole status page: every number is in the HTML. The script only asks for the page again and takes over what has
// changed, so there is one place that writes markup, and it escapes.
import type { Status } from '../status-data.ts';
import { type Assets, loadAssets } from './assets.ts';
import { Html, html } from './html.ts';
import { mountsSection } from './mounts.ts';
import { listenersSection, workersSection } from './processes.ts';
import { errorsSection, runningSection } from './requests.ts';
import { asOf, header, tiles } from './summary.ts';

export interface Page {
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Read once: who renders has them from the start, whatever becomes of the files. */
let assets: Assets | null = null;

const ICON =
  "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><path fill='%230b62a8' d='M0 3h16v3H0zM1 6h2v7H1zM7 6h2v7H7zM13 6h2v7h-2z'/></svg>";

/** @param isLive whether it is to update itself */
export function renderPage(status: Status, isLive: boolean): Page {
  assets ??= loadAssets();
  const { style, script, build, headers } = assets;
  const page = html`<!doctype html>
    <html lang="en" data-build="${build}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${status.ready ? '' : 'Not ready: '}viaduct</title>
        <link rel="icon" href="${ICON}" />
        ${inline('style', style)}
      </head>
      <body>
        <a class="skip" href="#main">Skip to the numbers</a>
        <div id="numbers">
          ${header(status)}
          <nav aria-label="Sections">
            ${SECTIONS.map(([id, name]) => html`<a href="#${id}">${name}</a> `)}<span class="asof"
              >${asOf(status)}</span
            >
          </nav>
          <main id="main" tabindex="-1">
            ${tiles(status)} ${mountsSection(status)} ${errorsSection(status)} ${runningSection(status)}
            ${workersSection(status)} ${listenersSection(status)}
          </main>
        </div>
        <footer>
          <p id="live" role="status">${isLive ? '' : 'Updates are off.'}</p>
          <noscript
            ><p>
              Without JavaScript these numbers stay as they are: <a href="?">load them again</a>.
            </p></noscript
          >
          <p>
            ${isLive ? html`<a href="?still">Stop updates</a>` : html`<a href="?">Update every second</a>`}
            <a href="status.json">status.json</a> <a href="metrics">metrics</a> <a href="readyz">readyz</a>
            <a href="livez">livez</a>
          </p>
        </footer>
        ${isLive && inline('script type="module"', script)}
      </body>
    </html> `;
  return { text: page.toString(), headers };
}

/** Nothing may stand around the text: its hash is what the browser goes by. */
const inline = (tag: string, text: string): Html => Html.trusted(`<${tag}>${text}</${tag.split(' ', 1)[0]}>`);

const SECTIONS = [
  ['mounts', 'Mounts'],
  ['errors', 'Errors'],
  ['running', 'Running'],
  ['workers', 'Workers'],
  ['listeners', 'Listeners'],
] as const;
