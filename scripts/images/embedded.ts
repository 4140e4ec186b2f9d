/**
 * From buildah into the embedded cluster's containerd, without a registry and without moving layers that it has.
 *
 * Most of an image is layers that the cluster has unpacked before, five gigabytes of them. Buildah would still write
 * all of them. So it gets a folder in which these layers seem to exist (sparse files of the right size) and writes only
 * the others, which is enough for containerd: it needs no archive of a layer that it has unpacked.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { ensureContainerd, loadImage, loadedSource, type Report } from '../../test/cluster/index';
import { exec } from '../../test/cluster/exec';
import { ctr } from '../../test/cluster/images';
import { containerdSocket } from '../../test/cluster/paths';
import { tar } from '../../test/cluster/tar';
import { timed, type Built } from './build';
import { buildah, buildahEnv, layersOf, storeDir } from './buildah';

/** What `loadedSource` gives back. */
const sourceLabel = 'sparsedm.io/source';

type Layer = { digest: string; size: number };

/** Above this many bytes an archive of the whole image, which buildah streams, is faster than layers in memory. */
const mostBytesInMemory = 64 * 1024 ** 2;

/** Name of the snapshot that holds a stack of layers, by the OCI image specification ("ChainID"). */
export function chainIds(digests: readonly string[]): string[] {
  const chain: string[] = [];
  for (const digest of digests) {
    const below = chain.at(-1);
    chain.push(below ? `sha256:${createHash('sha256').update(`${below} ${digest}`).digest('hex')}` : digest);
  }
  return chain;
}

/** How many of the layers, from the bottom, the cluster has unpacked. */
async function unpackedLayers(layers: readonly Layer[]): Promise<number> {
  const lines = await ctr(['snapshots', 'list']);
  const known = new Set(lines.split('\n').map((line) => line.split(/\s+/)[0]));
  const missing = chainIds(layers.map(({ digest }) => digest)).findIndex((id) => !known.has(id));
  return missing === -1 ? layers.length : missing;
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

/** An OCI archive of the image that leaves out the lowest layers. */
async function partialArchive(ref: string, leftOut: readonly Layer[]): Promise<Readable> {
  const folder = await mkdtemp(path.join(storeDir(), 'tmp', 'layout-'));
  try {
    const blobs = path.join(folder, 'blobs', 'sha256');
    const absent = await pretend(blobs, leftOut);
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

/**
 * The whole image, without an intermediate file, through a shell pipe: buildah opens its standard output by name, which
 * fails for the socket that Node would give it, and five gigabytes need not pass through this process.
 */
async function loadWhole(ref: string, source: string): Promise<void> {
  const pipeline =
    'set -o pipefail; buildah push --quiet "$1" "docker-archive:/dev/stdout:$1" | ' +
    'ctr --address "$2" --namespace k8s.io images import -';
  await exec('bash', ['-c', pipeline, 'bash', ref, containerdSocket], { env: buildahEnv() });
  await ctr(['images', 'label', ref, `${sourceLabel}=${source}`]);
}

/** Containerd keeps the archive of each layer beside its unpacked files; it does without, and it is half of the space. */
async function dropArchives(layers: readonly Layer[]): Promise<void> {
  const large = layers.filter(({ size }) => size > mostBytesInMemory).map(({ digest }) => digest);
  if (large.length > 0) await ctr(['content', 'delete', ...large]);
}

async function load(ref: string, fullRef: string, source: string, report: Report): Promise<void> {
  if ((await loadedSource(ref)) === source) return;
  const layers = await layersOf(fullRef);
  const there = await unpackedLayers(layers);
  const bytes = layers.slice(there).reduce((sum, { size }) => sum + size, 0);
  report(`loading ${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB into the cluster`);
  if (bytes <= mostBytesInMemory) {
    await loadImage(ref, await partialArchive(fullRef, layers.slice(0, there)), source);
  } else {
    await loadWhole(fullRef, source);
    await dropArchives(layers.slice(there));
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

/** Loads what the cluster does not have. The runtime goes first: then the images on it are a few megabytes each. */
export async function loadEmbedded({ images, runtime }: Built, report: Report): Promise<void> {
  await ensureContainerd({ report });
  const operator = images.filter(({ name }) => name === 'operator');
  const python = images.filter(({ name }) => name !== 'operator');
  for (const { name, ref, fullRef } of operator) await load(ref, fullRef, 'buildah', timed(report, name));
  if (!runtime) return;
  await load(runtime.ref, runtime.fullRef, runtime.key, timed(report, 'runtime'));
  for (const { name, ref, fullRef } of python) await load(ref, fullRef, runtime.key, timed(report, name));
  await removeStale(runtime.key);
}
