// Reads the project's pages: their fenced blocks, links and code words, so that tests can hold them to the truth.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './project.ts';

export interface Page {
  /** Relative to the project's folder. */
  readonly path: string;
  readonly text: string;
}

export interface Fence {
  /** What follows the three backticks. */
  readonly language: string;
  readonly text: string;
}

/** Every Markdown page a user reads. */
export function userPages(): Page[] {
  const atTop = readdirSync(projectRoot).filter((name) => name.endsWith('.md'));
  return [...atTop, ...pagesIn('docs'), ...pagesIn('examples')].toSorted().map(readPage);
}

function pagesIn(folder: string): string[] {
  const names = readdirSync(join(projectRoot, folder), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.md')).map((name) => join(folder, name));
}

/** One page by its path in the project. */
export function readPage(path: string): Page {
  return { path, text: readFileSync(join(projectRoot, path), 'utf8') };
}

/** The fenced blocks of a page, in order. */
export function fencesOf({ text }: Page): Fence[] {
  const fences = text.matchAll(/^```(\w*)\n(.*?)^```$/gms);
  return [...fences].map(([, language = '', body = '']) => ({ language, text: body }));
}

/** The blocks that begin with a comment that is a path, `// app.js` or `# viaduct.yaml`: path -> text. */
export function filesOf(page: Page): Record<string, string> {
  const named = fencesOf(page).flatMap(({ language, text }): [string, string][] => {
    const path = /^(?:\/\/|#) ([\w./-]+\.\w+)\n/.exec(text)?.[1];
    return path === undefined || language === 'nginx' ? [] : [[path, text]];
  });
  return Object.fromEntries(named);
}

/** What stands between single backticks outside of fences. */
export function codeWordsOf({ text }: Page): string[] {
  const prose = text.replaceAll(/^```.*?^```$/gms, '');
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, word = '']) => word);
}

/** The targets of a page's links. */
export function linksOf({ text }: Page): string[] {
  const prose = text.replaceAll(/^```.*?^```$/gms, '').replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
}

/** The rows of a page's tables as their cells, without heads and rulers. */
export function tableRowsOf({ text }: Page): string[][] {
  const lines = text.split('\n');
  return lines.flatMap((line, at): string[][] => {
    const isHead = lines[at + 1]?.startsWith('|---') === true;
    if (!line.startsWith('| ') || isHead) return [];
    return [line.slice(2, -2).split(' | ')];
  });
}

/** The anchors of a page's headings, as hosting sites make them. */
export function anchorsOf({ text }: Page): string[] {
  const prose = text.replaceAll(/^```.*?^```$/gms, '');
  return [...prose.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );
}
