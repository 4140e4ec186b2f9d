/**
 * From buildah into the embedded cluster's containerd, without a registry and without a copy of any layer.
 *
 * An image is gigabytes of layers, which buildah has unpacked, and containerd would unpack again. Both keep an unpacked
 * layer as the folder that overlayfs mounts, and neither ever changes one: so containerd's gets links to buildah's
 * files. It needs no archive of a layer that it has unpacked. For the rest of the image, buildah is given a folder in
 * which all layers seem to exist (sparse files of the right size), so that it writes none of them.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import {
  ClusterError,
  ensureContainerd,
  loadImage,
  loadedSource,
  type Report,
} from '../../test/cluster/index';
import { exec } from '../../test/cluster/exec';
import { ctr } from '../../test/cluster/images';
import { withLock } from '../../test/cluster/lock';
import { tar } from '../../test/cluster/tar';
import { timed, type Built } from './build';
import { buildah, foldersOf, layersOf, storeDir } from './buildah';

/** What `loadedSource` gives back. */
const sourceLabel = 'sparsedm.io/source';

type Layer = { digest: string; size: number };

/** Name of the snapshot that holds a stack of layers, by the OCI image specification ("ChainID"). */
export function chainIds(digests: readonly string[]): string[] {
  const chain: string[] = [];
  for (const digest of digests) {
    const below = chain.at(-1);
    chain.push(below ? `sha256:${createHash('sha256').update(`${below} ${digest}`).digest('hex')}` : digest);
  }
  return chain;
}

/** The layers, from the bottom, that the cluster has not unpacked. */
async function missingLayers(layers: readonly Layer[]): Promise<Layer[]> {
  const lines = await ctr(['snapshots', 'list']);
  const known = new Set(lines.split('\n').map((line) => line.split(/\s+/)[0]));
  const missing = chainIds(layers.map(({ digest }) => digest)).findIndex((id) => !known.has(id));
  return missing === -1 ? [] : layers.slice(missing);
}

type Mount = { Source: string; Options?: string[] };

/** The folder that a new snapshot's own files go to, by its mounts as `ctr` prints them. */
export function ownFolder(mounts: string): string {
  const [mount, ...more] = JSON.parse(mounts) as Mount[];
  if (mount === undefined || more.length > 0) throw new ClusterError(`one mount was expected, not ${mounts}`);
  const above = mount.Options?.find((option) => option.startsWith('upperdir='));
  // The lowest layer of an image is a folder as it is, mounted over nothing.
  return above === undefined ? mount.Source : above.slice('upperdir='.length);
}

/** What `ctr` sets on each snapshot that it makes, so that containerd keeps it although no image names it. */
const keptLabel = 'containerd.io/gc.root';

/** Makes the snapshot of a layer, above that of the layers below it, of links to buildah's files. */
async function link(chain: string, below: string | undefined, folder: string): Promise<void> {
  const unfinished = `loading ${chain}`;
  // Left by a load that was interrupted.
  await ctr(['snapshots', 'remove', unfinished]).catch(() => undefined);
  const mounts = await ctr(['snapshots', 'prepare', '--mounts', unfinished, ...(below ? [below] : [])]);
  await exec('cp', ['--archive', '--link', '--no-target-directory', folder, ownFolder(mounts)]);
  await ctr(['snapshots', 'commit', chain, unfinished]);
}

async function unpack(layers: readonly Layer[], missing: readonly Layer[]): Promise<void> {
  const chain = chainIds(layers.map(({ digest }) => digest));
  const folders = await foldersOf(missing.map(({ digest }) => digest));
  const present = layers.length - missing.length;
  for (const [index, folder] of folders.entries()) {
    const at = present + index;
    await link(chain[at] ?? '', chain[at - 1], folder);
  }
}

/** An OCI archive of the image without its layers. */
async function archiveWithoutLayers(ref: string, layers: readonly Layer[]): Promise<Readable> {
  const folder = await mkdtemp(path.join(storeDir(), 'tmp', 'layout-'));
  try {
    const blobs = path.join(folder, 'blobs', 'sha256');
    const absent = await pretend(blobs, layers);
    await buildah(['push', '--quiet', ref, `oci:${folder}:${ref}`]);
    const present = (await readdir(blobs))
      .filter((name) => !absent.has(name))
      .map((name) => `blobs/sha256/${name}`);
    const names = ['oci-layout', 'index.json', ...present];
    const contents = await Promise.all(names.map((name) => readFile(path.join(folder, name))));
    return Readable.from([
      tar(names.map((name, index) => ({ name, content: contents[index] ?? Buffer.alloc(0) }))),
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function pretend(folder: string, layers: readonly Layer[]): Promise<Set<string>> {
  await mkdir(folder, { recursive: true });
  const names = layers.map(({ digest }) => digest.replace('sha256:', ''));
  for (const [index, name] of names.entries()) {
    const file = await open(path.join(folder, name), 'w');
    await file.truncate(layers[index]?.size ?? 0);
    await file.close();
  }
  return new Set(names);
}

async function load(ref: string, fullRef: string, source: string, report: Report): Promise<void> {
  if ((await loadedSource(ref)) === source) return;
  const layers = await layersOf(fullRef);
  const missing = await missingLayers(layers);
  const bytes = missing.reduce((sum, { size }) => sum + size, 0);
  report(`loading ${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB into the cluster`);
  await unpack(layers, missing);
  await loadImage(ref, await archiveWithoutLayers(fullRef, layers), source);
  // From here on the image names its layers, and they go with it.
  for (const id of chainIds(layers.map(({ digest }) => digest))) {
    await ctr(['snapshots', 'label', id, `${keptLabel}=`]);
  }
  report('loaded');
}

/** Names of images on another runtime than this one, in what `ctr images list` prints (name, type, digest, ...). */
export function staleImages(list: string, runtimeKey: string): string[] {
  const lines = list.split('\n').map((line) => ({ line, columns: line.split(/\s+/) }));
  const stale = lines.filter(
    ({ line }) =>
      /^docker\.io\/sparsedm\/(runtime|trainer|serving):/.test(line) &&
      !line.includes(`${sourceLabel}=${runtimeKey}`),
  );
  const digests = new Set(stale.map(({ columns }) => columns[2]));
  // containerd's CRI plugin gives each image a second name, the digest of its configuration.
  const seconds = lines.filter(({ line, columns }) => line.startsWith('sha256:') && digests.has(columns[2]));
  return [...stale, ...seconds].map(({ columns }) => columns[0] ?? '');
}

/** Images of another runtime would keep its five gigabytes. */
async function removeStale(runtimeKey: string): Promise<void> {
  const names = staleImages(await ctr(['images', 'list']), runtimeKey);
  if (names.length > 0) await ctr(['images', 'remove', ...names]);
}

/** Loads what the cluster does not have. */
export async function loadEmbedded(built: Built, report: Report): Promise<void> {
  await ensureContainerd({ report });
  const waiting = () => report('waiting for another load of the images to end');
  await withLock(path.join(storeDir(), 'load.lock'), () => loadAll(built, report), waiting);
}

/** The runtime has a name of its own, which keeps its layers when the images on it are renewed. */
async function loadAll({ images, runtime }: Built, report: Report): Promise<void> {
  const operator = images.filter(({ name }) => name === 'operator');
  const python = images.filter(({ name }) => name !== 'operator');
  for (const { name, ref, fullRef } of operator) await load(ref, fullRef, 'buildah', timed(report, name));
  if (!runtime) return;
  await load(runtime.ref, runtime.fullRef, runtime.key, timed(report, 'runtime'));
  for (const { name, ref, fullRef } of python) await load(ref, fullRef, runtime.key, timed(report, name));
  await removeStale(runtime.key);
}
