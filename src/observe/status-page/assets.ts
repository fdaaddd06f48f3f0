// The style sheet and the script of the page, and what a browser is told it may run: these two and nothing else. The compiler
// does not copy them: they are read from the sources, which the package ships.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const read = (name: string): string =>
  readFileSync(new URL(`../../../../src/observe/status-page/${name}`, import.meta.url), 'utf8');

const hash = (text: string): string => createHash('sha256').update(text).digest('base64');

export interface Assets {
  readonly style: string;
  readonly script: string;
  /** Changes with them: a page that is open then loads itself anew. */
  readonly build: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** @throws the system's error, where the package is not whole */
export function loadAssets(): Assets {
  const style = read('page.css');
  const script = read('page.js');
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${hash(style)}'`,
    `script-src 'sha256-${hash(script)}'`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  const headers = {
    'content-security-policy': policy.join('; '),
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  };
  return { style, script, build: hash(style + script).slice(0, 16), headers };
}
