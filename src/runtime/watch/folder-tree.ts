// Watches folders with all below them, one fs.watch() a folder: its own recursion (Node 20 on Linux) would watch every file of
// node_modules, and loses what is made in a new folder. Tells paths, and does not know what changed in them, nor what for.
import { type FSWatcher, lstatSync, readdirSync, watch } from 'node:fs';
import { dirname, join, sep } from 'node:path';

export interface FolderTreeOptions {
  /** Whether a folder of that name, below a root, is left out. */
  readonly skips: (name: string) => boolean;
  /** Something happened to this path, or was there already when its folder came. */
  readonly touched: (path: string) => void;
  /** A folder is not watched. */
  readonly failed: (folder: string, why: string) => void;
  /** Folders watched at a time. */
  readonly limit?: number;
}

const DEFAULT_LIMIT = 4096;
/** Milliseconds between two looks at the roots, whose own coming and going nobody else tells. */
const ROOT_INTERVAL = 500;

export class FolderTree {
  readonly #options: FolderTreeOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  /** By path, the inode; null: it is not there. */
  readonly #roots = new Map<string, number | null>();
  /** Of roots as well as other folders: each is told once. */
  readonly #told = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: FolderTreeOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tendRoots(), ROOT_INTERVAL);
  }

  /** How many folders are watched. */
  get size(): number {
    return this.#watchers.size;
  }

  /** Watches these from now on, and no others. `lone` folders are watched without what is below them. */
  setRoots(roots: readonly string[], lone: readonly string[]): void {
    for (const root of this.#roots.keys()) if (!roots.includes(root)) this.#roots.delete(root);
    const wanted = (folder: string): boolean =>
      lone.includes(folder) || roots.some((root) => folder === root || folder.startsWith(root + sep));
    for (const folder of this.#watchers.keys()) if (!wanted(folder)) this.#unwatch(folder);
    for (const root of roots) {
      if (this.#roots.has(root)) continue;
      this.#roots.set(root, inodeOf(root));
      this.#watchTree(root, false);
    }
    for (const folder of lone) this.#watch(folder);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const folder of this.#watchers.keys()) this.#unwatch(folder);
  }

  #tendRoots(): void {
    for (const [root, before] of this.#roots) {
      const now = inodeOf(root);
      if (now === before) continue;
      this.#roots.set(root, now);
      this.#unwatchTree(root);
      if (now === null) this.#options.touched(root);
      else this.#watchTree(root, true);
    }
  }

  /** @param isNew what is there was not seen before */
  #watchTree(folder: string, isNew: boolean): void {
    if (!this.#watch(folder)) return;
    for (const entry of list(folder)) {
      const path = join(folder, entry.name);
      if (!entry.isDirectory()) {
        if (isNew) this.#options.touched(path);
      } else if (!this.#options.skips(entry.name)) {
        this.#watchTree(path, isNew);
      }
    }
  }

  #watch(folder: string): boolean {
    if (this.#watchers.has(folder)) return true;
    if (this.#watchers.size >= (this.#options.limit ?? DEFAULT_LIMIT)) {
      this.#tell(dirname(folder), `there are more than ${this.#options.limit ?? DEFAULT_LIMIT} folders`);
      return false;
    }
    try {
      const watcher = watch(folder, (event, name) => this.#happened(folder, event, name));
      watcher.on('error', (error) => {
        this.#unwatch(folder);
        this.#tell(folder, error.message);
      });
      this.#watchers.set(folder, watcher);
      return true;
    } catch (error) {
      // ENOENT: it has gone again.
      if (error instanceof Error && 'code' in error && error.code !== 'ENOENT')
        this.#tell(folder, error.message);
      return false;
    }
  }

  #happened(folder: string, event: 'rename' | 'change', name: string | null): void {
    if (name === null) return;
    const path = join(folder, name);
    const isRecursive = [...this.#roots.keys()].some(
      (root) => folder === root || folder.startsWith(root + sep),
    );
    if (event === 'rename' && isRecursive && !this.#options.skips(name)) {
      // A folder that is new, or another one of the same name: the old one's watchers see nothing of it.
      this.#unwatchTree(path);
      if (isFolder(path)) this.#watchTree(path, true);
    }
    this.#options.touched(path);
  }

  #unwatchTree(top: string): void {
    for (const folder of this.#watchers.keys()) {
      if (folder === top || folder.startsWith(top + sep)) this.#unwatch(folder);
    }
  }

  #unwatch(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
  }

  #tell(folder: string, why: string): void {
    if (this.#told.has(folder)) return;
    this.#told.add(folder);
    this.#options.failed(folder, why);
  }
}

function list(folder: string): { name: string; isDirectory(): boolean }[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

const isFolder = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

function inodeOf(path: string): number | null {
  try {
    return lstatSync(path).ino;
  } catch {
    return null;
  }
}
