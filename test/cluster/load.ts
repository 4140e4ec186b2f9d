/** Loading images starts containerd where it does not run yet. */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Report } from './binaries';
import * as images from './images';
import { ensureContainerd } from './up';

/**
 * Loads an archive in Docker's or OCI's format that holds the image `name`. `source` identifies its content (a digest of
 * what it was built from, say): the kubelet does not need it, `loadedSource` gives it back.
 */
export async function loadImage(
  name: string,
  archive: Readable,
  source = 'archive',
  report?: Report,
): Promise<void> {
  await ensureContainerd(report);
  await images.importImage(name, archive, source);
}

/** What the image `name` was loaded from; undefined when the cluster does not have it. */
export async function loadedSource(name: string, report?: Report): Promise<string | undefined> {
  await ensureContainerd(report);
  return images.loadedSource(name);
}

/** Loads an image of buildah's store, unless the cluster has that very build of it. */
export async function loadFromBuildah(name: string, report?: Report): Promise<'loaded' | 'present'> {
  await ensureContainerd(report);
  return images.loadFromBuildah(name);
}

/** Loads whatever images an archive file holds and returns their names. */
export async function loadArchiveFile(file: string, report?: Report): Promise<string[]> {
  await ensureContainerd(report);
  return images.importArchive(createReadStream(file));
}
