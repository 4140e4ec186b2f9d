/** Buildah, with a store of its own in the cache: it touches no other images, and leaves nothing mounted. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { ClusterError, cacheDir } from '../../test/cluster/index';
import { exec, succeeds } from '../../test/cluster/exec';
import { installPackages, missingPackages, type PackageName } from '../../test/cluster/packages';
import { withLock } from '../../test/cluster/lock';
import { debianBases } from './debian';
import type { BuildRequest, Engine } from './engine';

const wanted: readonly PackageName[] = ['buildah', 'mmdebstrap', 'debian-archive-keyring', 'ca-certificates'];

export const storeDir = () => path.join(cacheDir(), 'images');
const temporaryDir = () => path.join(storeDir(), 'tmp');
/** Where buildah keeps the cache mounts of Dockerfiles, below its temporary folder. */
const cacheMounts = 'buildah-cache';

/** Environment of every call: which store, no container runtime needed, temporary files beside the store. */
export function buildahEnv(): Record<string, string> {
  return {
    CONTAINERS_STORAGE_CONF: path.join(storeDir(), 'storage.conf'),
    BUILDAH_ISOLATION: 'chroot',
    TMPDIR: temporaryDir(),
  };
}

/** The overlay driver would mount its own folder onto itself; without that nothing outlives a build. */
function storageConf(): string {
  return [
    '[storage]',
    'driver = "overlay"',
    `graphroot = ${JSON.stringify(path.join(storeDir(), 'store'))}`,
    `runroot = ${JSON.stringify(path.join(storeDir(), 'run'))}`,
    '[storage.options.overlay]',
    'skip_mount_home = "true"',
    '',
  ].join('\n');
}

export async function buildah(args: readonly string[], report?: (line: string) => void): Promise<string> {
  return exec('buildah', args, { env: buildahEnv(), ...(report ? { onErrorLine: report } : {}) });
}

async function installBuildah(report: (line: string) => void): Promise<void> {
  const missing = await missingPackages(wanted);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !(await succeeds('apt-get', ['--version']))) {
    throw new ClusterError(
      `Building images without Docker needs root and these Debian packages: ${missing.join(', ')}. ` +
        'Install them and run as root, or build with --engine docker.',
    );
  }
  await installPackages(report, wanted);
}

/**
 * The image build shares this machine's uv cache, so that gigabytes are neither fetched nor kept twice.
 * The Dockerfile mounts it at /var/cache/uv.
 */
async function shareUvCache(): Promise<void> {
  const ours =
    process.env['UV_CACHE_DIR'] ??
    path.join(process.env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache'), 'uv');
  const mounted = path.join(temporaryDir(), cacheMounts, 'var', 'cache', 'uv');
  await mkdir(ours, { recursive: true });
  await mkdir(path.dirname(mounted), { recursive: true });
  // A correct link stays: another build may be using it.
  if ((await readlink(mounted).catch(() => undefined)) === ours) return;
  await rm(mounted, { recursive: true, force: true });
  await symlink(ours, mounted);
}

/** Removes the containers and temporary files of builds that were killed. No other build may be under way. */
export async function removeLeftovers(olderThanMs: number): Promise<void> {
  await buildah(['rm', '--all']);
  for (const name of await readdir(temporaryDir())) {
    if (name === cacheMounts) continue;
    const file = path.join(temporaryDir(), name);
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Infinity })); // gone by now
    if (Date.now() - mtimeMs > olderThanMs) await rm(file, { recursive: true, force: true });
  }
}

/** Certificates that this machine trusts, for the registries it reaches; mounted, so that no layer holds them. */
function certificates(): string[] {
  return existsSync('/etc/ssl/certs') ? ['--volume', '/etc/ssl/certs:/etc/ssl/certs:ro'] : [];
}

async function build({
  ref,
  dockerfile,
  context,
  args = {},
  layers = false,
  report,
}: BuildRequest): Promise<void> {
  const buildArgs = Object.entries(args).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  const flags = ['--network', 'host', '--pull-never', `--layers=${layers}`, ...certificates()];
  const command = ['buildah', 'build', ...flags, ...buildArgs, '--tag', ref, '--file', dockerfile, context];
  // Buildah prints its steps to standard output; callers read lines from stderr.
  await exec('sh', ['-c', 'exec "$@" >&2', 'sh', ...command], { env: buildahEnv(), onErrorLine: report });
}

/** Size and digest of each layer of an image, from the bottom; buildah's digests are of the unpacked layers. */
export async function layersOf(ref: string): Promise<{ digest: string; size: number }[]> {
  const manifest: unknown = JSON.parse(
    await buildah(['inspect', '--type', 'image', '--format', '{{.Manifest}}', ref]),
  );
  return (manifest as { layers: { digest: string; size: number }[] }).layers;
}

type StoredLayer = { id: string; 'diff-digest'?: string };

/** Where the store has the files of layers, unpacked, by their digests. They may be read and linked, not changed. */
export async function foldersOf(digests: readonly string[]): Promise<string[]> {
  const store = path.join(storeDir(), 'store');
  const text = await readFile(path.join(store, 'overlay-layers', 'layers.json'), 'utf8');
  const known = new Map((JSON.parse(text) as StoredLayer[]).map((one) => [one['diff-digest'], one.id]));
  return digests.map((digest) => {
    const id = known.get(digest);
    if (id === undefined) throw new ClusterError(`buildah's store ${store} has no layer ${digest}`);
    return path.join(store, 'overlay', id, 'diff');
  });
}

/** A registry on this machine speaks plain HTTP, as Docker takes it too. */
function withoutTls(ref: string): string[] {
  return /^(localhost|127\.0\.0\.1)[:/]/.test(ref) ? ['--tls-verify=false'] : [];
}

export async function openBuildah(report: (line: string) => void): Promise<Engine> {
  await installBuildah(report);
  await withLock(path.join(storeDir(), 'lock'), async () => {
    await mkdir(temporaryDir(), { recursive: true });
    await writeFile(path.join(storeDir(), 'storage.conf'), storageConf());
    await shareUvCache();
  });
  const engine: Engine = {
    name: 'buildah',
    has: (ref) =>
      buildah(['inspect', '--type', 'image', '--format', '{{.FromImageID}}', ref]).then(
        () => true,
        () => false,
      ),
    build,
    tag: async (ref, other) => void (await buildah(['tag', ref, other])),
    push: async (ref, told) => {
      await buildah(['push', ...withoutTls(ref), ref, `docker://${ref}`], told);
    },
    bases: (told) => Promise.resolve(debianBases(engine, temporaryDir(), told)),
  };
  return engine;
}
