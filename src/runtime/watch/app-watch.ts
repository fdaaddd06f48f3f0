// `serve --watch`: a reload when files of apps, or the configuration, have changed. Many changes at once are one reload; a file
// that says the same as before is none. Knows no worker.
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import type { Logger } from 'pino';
import type { LoadedConfig } from '../../config/load.ts';
import type { ReloadOutcome } from '../reloads.ts';
import { FolderTree } from './folder-tree.ts';
import { isForeign, type WatchPlan, watchPlan } from './watch-plan.ts';

export interface AppWatchOptions {
  /** The newest configuration that could be read. */
  readonly loaded: () => LoadedConfig;
  readonly reload: () => Promise<ReloadOutcome>;
  readonly logger: Logger;
}

/** Milliseconds without a further change after which they are taken for whole, and for how long that is waited for. */
const QUIET = 100;
const PATIENCE = 1000;
/** Bytes up to which a file is compared by what it says; others by time and size. */
const MAX_COMPARED = 1024 * 1024;
/** A file that alone changes within so many milliseconds of a reload, so many times in a row, is written by the app itself. */
const ECHO_TIME = 1000;
const MAX_ECHOES = 10;
/** Files named in a log line. */
const MAX_NAMED = 5;

export class AppWatch {
  readonly #options: AppWatchOptions;
  readonly #tree: FolderTree;
  #plan: WatchPlan;
  readonly #touched = new Set<string>();
  /** What a file was last seen to say. */
  readonly #known = new Map<string, string>();
  readonly #muted = new Set<string>();
  #echo = { path: '', count: 0 };
  #reloadedAt = -Infinity;
  #firstAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #isReloading = false;

  constructor(options: AppWatchOptions) {
    this.#options = options;
    this.#tree = new FolderTree({
      skips: isForeign,
      touched: (path) => this.#see(path),
      failed: (folder, why) => options.logger.warn(`Cannot watch ${folder} for changes: ${why}`),
    });
    this.#plan = this.#follow();
    options.logger.info({ folders: this.#plan.roots, watched: this.#tree.size }, 'Watching for changes');
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#tree.close();
  }

  /** The folders of the configuration as it is now. */
  #follow(): WatchPlan {
    const loaded = this.#options.loaded();
    const plan = watchPlan(loaded);
    this.#tree.setRoots(plan.roots, [dirname(loaded.file)]);
    return plan;
  }

  #see(path: string): void {
    if (this.#muted.has(path)) return;
    // A root that is gone counts as well.
    if (!this.#plan.counts(path) && !this.#plan.roots.includes(path)) return;
    if (this.#touched.size === 0) this.#firstAt = performance.now();
    this.#touched.add(path);
    if (!this.#isReloading) this.#wait();
  }

  #wait(): void {
    clearTimeout(this.#timer);
    const left = Math.max(0, this.#firstAt + PATIENCE - performance.now());
    this.#timer = setTimeout(() => void this.#settle(), Math.min(QUIET, left));
  }

  async #settle(): Promise<void> {
    const changed = [...this.#touched].filter((path) => this.#isNews(path));
    this.#touched.clear();
    if (changed.length === 0 || this.#isEcho(changed)) return;
    const { loaded, logger, reload } = this.#options;
    const names = changed.slice(0, MAX_NAMED).map((path) => relative(dirname(loaded().file), path));
    const more = changed.length > MAX_NAMED ? ` and ${changed.length - MAX_NAMED} more` : '';
    logger.info(`Changed: ${names.join(', ')}${more}; reloading`);
    this.#isReloading = true;
    await reload();
    this.#isReloading = false;
    this.#reloadedAt = performance.now();
    this.#plan = this.#follow();
    if (this.#touched.size > 0) this.#wait();
  }

  #isNews(path: string): boolean {
    const now = signatureOf(path);
    const before = this.#known.get(path);
    this.#known.set(path, now);
    return now !== before;
  }

  /** An app that writes one of its own files whenever it starts would be reloaded for ever. */
  #isEcho([path = '', ...others]: readonly string[]): boolean {
    const isLikely = others.length === 0 && performance.now() - this.#reloadedAt < ECHO_TIME;
    const isSame = isLikely && this.#echo.path === path;
    this.#echo = { path, count: isSame ? this.#echo.count + 1 : 0 };
    if (this.#echo.count < MAX_ECHOES) return false;
    this.#muted.add(path);
    this.#options.logger.warn(
      `Not watching ${path} any more: it changes with every reload, so that the app itself must be writing it`,
    );
    return true;
  }
}

function signatureOf(path: string): string {
  try {
    const stat = statSync(path);
    if (!stat.isFile() || stat.size > MAX_COMPARED) return `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
    return createHash('sha1').update(readFileSync(path)).digest('hex');
  } catch {
    return 'gone';
  }
}
