/** Loading images starts containerd where it does not run yet. */
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import type { ReportOption } from './binaries';
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
  options: ReportOption = {},
): Promise<void> {
  await ensureContainerd(options);
  await images.importImage(name, archive, source);
}

/** What the image `name` was loaded from; undefined when the cluster does not have it. */
export async function loadedSource(name: string, options: ReportOption = {}): Promise<string | undefined> {
  await ensureContainerd(options);
  return images.loadedSource(name);
}

/** Loads an image of buildah's store, unless the cluster has that very build of it. */
export async function loadFromBuildah(
  name: string,
  options: ReportOption = {},
): Promise<'loaded' | 'present'> {
  await ensureContainerd(options);
  return images.loadFromBuildah(name);
}

/** Loads the images of an archive file and returns their names. */
export async function loadArchiveFile(file: string, options: ReportOption = {}): Promise<string[]> {
  await ensureContainerd(options);
  return images.importArchive(createReadStream(file));
}
