/** Images go straight into containerd's store: there is no registry. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { exec } from './exec';
import { containerdSocket } from './paths';
import { pauseImage } from './settings';
import { tar } from './tar';
import { ClusterError } from './wait';

/** Remembers which build of an image was loaded, so that loading it again costs nothing. */
const sourceLabel = 'sparsedm.io/source';

export function ctr(args: readonly string[], input?: Readable): Promise<string> {
  return exec(
    'ctr',
    ['--address', containerdSocket, '--namespace', 'k8s.io', ...args],
    input ? { input } : {},
  );
}

/** The name under which the kubelet looks an image up: a registry's host first, and a tag. */
export function canonicalName(name: string): string {
  const [first = '', ...rest] = name.split('/');
  const hasHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const path = hasHost ? name : `docker.io/${rest.length === 0 ? 'library/' : ''}${name}`;
  const hasTag = /[:@]/.test(path.slice(path.lastIndexOf('/')));
  return hasTag ? path : `${path}:latest`;
}

export type ImageConfig = { entrypoint: string[]; user?: string };

/** An image whose only content is static programs, as an archive in Docker's format. */
export function scratchImage(
  name: string,
  files: readonly { name: string; content: Buffer }[],
  { entrypoint, user = '65535:65535' }: ImageConfig,
): Buffer {
  const layer = tar(files.map((file) => ({ ...file, mode: 0o755 })));
  const digest = (content: Buffer) => createHash('sha256').update(content).digest('hex');
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: { Entrypoint: entrypoint, User: user },
      rootfs: { type: 'layers', diff_ids: [`sha256:${digest(layer)}`] },
    }),
  );
  const manifest = [
    { Config: `${digest(config)}.json`, RepoTags: [canonicalName(name)], Layers: ['layer.tar'] },
  ];
  return tar([
    { name: `${digest(config)}.json`, content: config },
    { name: 'layer.tar', content: layer },
    { name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) },
  ]);
}

/** What an image was loaded from; undefined when it is not in the store. */
export async function loadedSource(name: string): Promise<string | undefined> {
  // A line ends with the labels: a=b,c=d.
  const lines = await ctr(['images', 'list', `name==${canonicalName(name)}`]);
  const line = lines.split('\n')[1];
  if (!line) return undefined;
  return new RegExp(`${sourceLabel}=([^,\\s]+)`).exec(line)?.[1] ?? '';
}

export async function importArchive(archive: Readable): Promise<string[]> {
  const lines = await ctr(['images', 'import', '--digests=false', '-'], archive);
  // "unpacking NAME (sha256:...)...done"
  return [...lines.matchAll(/^unpacking (\S+) \(/gm)].map(([, name]) => name ?? '');
}

/** Imports an archive that holds one image of this name; `source` identifies its content. */
export async function importImage(name: string, archive: Readable, source: string): Promise<void> {
  const wanted = canonicalName(name);
  const names = await importArchive(archive);
  if (!names.includes(wanted)) {
    throw new ClusterError(`the archive holds ${names.join(', ') || 'no image'}, not ${wanted}`);
  }
  await ctr(['images', 'label', wanted, `${sourceLabel}=${source}`]);
}

export async function ensurePauseImage(program: string): Promise<void> {
  const content = await readFile(program);
  const source = createHash('sha256').update(content).digest('hex').slice(0, 16);
  if ((await loadedSource(pauseImage)) === source) return;
  const archive = scratchImage(pauseImage, [{ name: 'pause', content }], { entrypoint: ['/pause'] });
  await importImage(pauseImage, Readable.from([archive]), source);
}

async function buildahId(name: string): Promise<string> {
  const text = await exec('buildah', [
    'inspect',
    '--type',
    'image',
    '--format',
    '{{.FromImageID}}',
    name,
  ]).catch((cause: unknown) => {
    throw new ClusterError(`buildah has no image ${name}: build it first`, { cause });
  });
  return text.trim();
}

const pushAndImport =
  'set -o pipefail; buildah push --quiet "$1" "docker-archive:/dev/stdout:$2" | ' +
  'ctr --address "$3" --namespace k8s.io images import -';

/**
 * From buildah's store, without an intermediate file, which saves half a minute for an image of 5 GB. A shell joins the
 * two, because buildah opens /dev/stdout, which works for a pipe but not for the socket that Node would give it.
 */
export async function loadFromBuildah(name: string): Promise<'loaded' | 'present'> {
  const source = await buildahId(name);
  if ((await loadedSource(name)) === source) return 'present';
  const wanted = canonicalName(name);
  await exec('bash', ['-c', pushAndImport, 'bash', name, wanted, containerdSocket]);
  await ctr(['images', 'label', wanted, `${sourceLabel}=${source}`]);
  return 'loaded';
}
