/** Names of builds: a digest over everything that goes into one, so that nothing is built twice or taken when stale. */
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** Never part of an image; .dockerignore leaves the same out of the build's context. */
const ignored = /(^|\/)(__pycache__|\.pytest_cache|\.ruff_cache|[^/]+\.egg-info)(\/|$)|\.pyc$|\.test\.ts$/;

async function filesBelow(root: string, relative: string): Promise<string[]> {
  if (ignored.test(relative)) return [];
  const stats = await lstat(path.join(root, relative));
  if (!stats.isDirectory()) return [relative];
  const names = await readdir(path.join(root, relative));
  const nested = await Promise.all(names.map((name) => filesBelow(root, path.posix.join(relative, name))));
  return nested.flat();
}

/**
 * Twelve hexadecimal digits over the names, executable bits and contents of the inputs (files or folders below `root`)
 * and over `more`, such as the digest of the image that this one starts from.
 */
export async function inputsDigest(
  root: string,
  inputs: readonly string[],
  more: readonly string[] = [],
): Promise<string> {
  const files = (await Promise.all(inputs.map((input) => filesBelow(root, input)))).flat().sort();
  const hash = createHash('sha256').update(JSON.stringify(more));
  for (const file of new Set(files)) {
    const full = path.join(root, file);
    const [{ mode }, content] = await Promise.all([lstat(full), readFile(full)]);
    hash.update(`\0${file}\0${mode & 0o111 ? 'x' : '-'}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex').slice(0, 12);
}
