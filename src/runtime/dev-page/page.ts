// The page that `serve --watch` shows a browser instead of a plain error: pure text, no script, nothing from elsewhere. All
// that comes in is escaped here. Does not know where it comes from.
import { createHash } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { ErrorPage } from '../../gateway/error-page.ts';
import type { Excerpt } from './excerpts.ts';

export interface Failure {
  readonly status: number;
  /** One sentence that says what has failed. */
  readonly title: string;
  /** The error's own words. */
  readonly message: string;
  /** Stack or traceback; "": there is none. */
  readonly stack: string;
  readonly excerpts: readonly Excerpt[];
  /** Name and value. */
  readonly request: readonly (readonly [name: string, value: string])[];
  readonly environ: readonly (readonly [name: string, value: string])[];
  /** Seconds after which to ask again; null: no matter. */
  readonly retryAfter: number | null;
}

const STYLE = `
:root { color-scheme: light dark; --line: #8886; --mark: #d2222233; --accent: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --accent: #ff8a80; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1.5rem; }
h1 { color: var(--accent); font-size: 1.1rem; margin: 0; }
.message { font-size: 1.5rem; font-weight: 600; margin: .25rem 0 1.5rem; overflow-wrap: anywhere; white-space: pre-wrap; }
h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; overflow-wrap: anywhere; }
pre { border: 1px solid var(--line); border-radius: 6px; font: 13px/1.6 ui-monospace, monospace; margin: 0; overflow-x: auto; padding: .75rem; }
pre mark { background: var(--mark); color: inherit; display: inline-block; font-weight: 700; min-width: 100%; }
table { border-collapse: collapse; font: 13px/1.5 ui-monospace, monospace; width: 100%; }
th, td { border-bottom: 1px solid var(--line); overflow-wrap: anywhere; padding: .2rem .5rem .2rem 0; text-align: left; vertical-align: top; }
th { font-weight: 400; opacity: .75; width: 16rem; }
footer { font-size: 13px; margin-top: 2rem; opacity: .75; }
`;
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (char) => ENTITIES[char] ?? char);

export function developmentPage(failure: Failure): ErrorPage {
  const status = `${failure.status} ${STATUS_CODES[failure.status] ?? 'Error'}`;
  const { retryAfter } = failure;
  return {
    status,
    headers: [
      ['Content-Type', 'text/html; charset=utf-8'],
      ['Cache-Control', 'no-store'],
      [
        'Content-Security-Policy',
        `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'`,
      ],
      ['X-Content-Type-Options', 'nosniff'],
      ['Referrer-Policy', 'no-referrer'],
      ...(retryAfter === null ? [] : [['Retry-After', String(retryAfter)] as [string, string]]),
    ],
    body: Buffer.from(html(status, failure)),
  };
}

function html(status: string, { title, message, stack, excerpts, request, environ }: Failure): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(`${status}: ${message.split('\n', 1)[0] ?? ''}`)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
<p class="message">${escape(message)}</p>
${excerpts.map(codeSection).join('')}
${stack === '' ? '' : `<h2>Stack</h2>\n<pre tabindex="0">${escape(stack)}</pre>`}
${table('Request', request)}
${table('Environ', environ)}
</main>
<footer>This page is shown by <code>viaduct serve --watch</code> only. It changes with the next request after a file was saved.</footer>
</body>
</html>
`;
}

function codeSection({ file, line, code, first }: Excerpt): string {
  const width = String(first + code.length).length;
  const lines = code.map((text, at) => {
    const number = first + at;
    const shown = escape(`${number === line ? '>' : ' '} ${String(number).padStart(width)}  ${text}`);
    return number === line ? `<mark>${shown}</mark>` : shown;
  });
  return `<h2>${escape(`${file}:${line}`)}</h2>\n<pre tabindex="0">${lines.join('\n')}</pre>\n`;
}

function table(title: string, rows: Failure['request']): string {
  if (rows.length === 0) return '';
  const body = rows.map(
    ([name, value]) => `<tr><th scope="row">${escape(name)}</th><td>${escape(value)}</td></tr>`,
  );
  return `<h2>${escape(title)}</h2>\n<table>\n${body.join('\n')}\n</table>`;
}
