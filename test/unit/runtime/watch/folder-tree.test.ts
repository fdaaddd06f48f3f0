import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { FolderTree } from '../../../../src/runtime/watch/folder-tree.ts';
import { makeTempDir, removeTempDir } from '../../../helpers/temp.ts';
import { waitFor } from '../../../helpers/wait.ts';

describe('runtime/watch/folder-tree', () => {
  let folder: string;
  let tree: FolderTree;
  const touched = new Set<string>();
  const failures: string[] = [];

  const start = (limit?: number): void => {
    tree = new FolderTree({
      skips: (name) => name === 'skipped',
      touched: (path) => void touched.add(path.slice(folder.length + 1)),
      failed: (path, why) => void failures.push(`${path.slice(folder.length + 1)}: ${why}`),
      ...(limit !== undefined && { limit }),
    });
  };
  const write = (name: string): void => writeFileSync(join(folder, name), String(Math.random()));
  const make = (name: string): unknown => mkdirSync(join(folder, name), { recursive: true });
  const sees = (name: string): Promise<unknown> =>
    waitFor(() => touched.has(name), { what: `${name} to be seen` });

  beforeEach(async () => {
    folder = await makeTempDir();
    touched.clear();
    failures.length = 0;
    make('a/b');
    make('a/skipped/c');
    make('lone/below');
  });
  afterEach(async () => {
    tree.close();
    await removeTempDir(folder);
  });

  it('tells what happens in the folders and below, and not in what is left out', async () => {
    start();
    tree.setRoots([join(folder, 'a')], [join(folder, 'lone')]);
    expect(tree.size).to.equal(3);
    for (const name of ['a/skipped/x', 'a/skipped/c/x', 'lone/below/x', 'a/x', 'a/b/x', 'lone/x'])
      write(name);
    await Promise.all(['a/x', 'a/b/x', 'lone/x'].map(sees));
    expect([...touched]).to.have.members(['a/x', 'a/b/x', 'lone/x']);
  });

  it('follows folders that come, with what is in them already, and forgets those that go', async () => {
    start();
    tree.setRoots([join(folder, 'a')], []);
    make('a/new/deep');
    write('a/new/deep/x');
    await sees('a/new/deep/x');
    write('a/new/deep/y');
    await sees('a/new/deep/y');
    rmSync(join(folder, 'a/new'), { recursive: true });
    await waitFor(() => tree.size === 2, { what: 'the watchers to go' });
  });

  it('follows a folder that takes the place of another', async () => {
    start();
    tree.setRoots([join(folder, 'a')], []);
    make('next/b');
    write('next/b/x');
    renameSync(join(folder, 'a/b'), join(folder, 'old'));
    renameSync(join(folder, 'next/b'), join(folder, 'a/b'));
    await sees('a/b/x');
    write('a/b/y');
    await sees('a/b/y');
  });

  it('follows a root that is replaced, or comes late', async () => {
    start();
    tree.setRoots([join(folder, 'a'), join(folder, 'late')], []);
    renameSync(join(folder, 'a'), join(folder, 'old'));
    await sees('a');
    make('a/b');
    write('a/b/x');
    make('late');
    write('late/x');
    await Promise.all(['a/b/x', 'late/x'].map(sees));
  });

  it('lets go of what is no root any more', () => {
    start();
    tree.setRoots([join(folder, 'a')], [join(folder, 'lone')]);
    tree.setRoots([join(folder, 'lone')], []);
    expect(tree.size).to.equal(2);
    tree.setRoots([], []);
    expect(tree.size).to.equal(0);
  });

  it('stops at its limit, and says so once', () => {
    for (let at = 0; at < 5; at += 1) make(`a/many/${at}`);
    start(3);
    tree.setRoots([join(folder, 'a')], []);
    expect(tree.size).to.equal(3);
    expect(failures).to.have.lengthOf(1);
    expect(failures[0]).to.contain('there are more than 3 folders');
  });
});
