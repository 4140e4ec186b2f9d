/** Builds the programs of kubernetes/ once for each state of their sources, and keeps them in the cache. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { exec } from './exec';
import { withLock } from './lock';
import { cacheDir } from './paths';
import { checkGo } from './preflight';
import { ClusterError } from './wait';

export type Binaries = {
  /** Kubernetes: the first argument names the component, `kubectl` among them. */
  k8s: string;
  helm: string;
  kwok: string;
  /** A static program without dependencies, the content of the sandbox image. */
  pause: string;
};

/** Receives each step as a line for people. */
export type Report = (line: string) => void;
export type ReportOption = { report?: Report | undefined };

export const quiet: Report = () => undefined;

const sourceDir = path.join(path.dirname(fileURLToPath(import.meta.url)), 'kubernetes');
/** Builds to keep: the current one and the one before, for switching between branches. */
const keptVersions = 2;

/** Go names a program after its package's folder; the module's own is called after the module. */
const builtNames = { k8s: 'cluster', helm: 'helm', kwok: 'kwok', pause: 'pause' } as const satisfies Record<
  keyof Binaries,
  string
>;
const packages = ['.', 'helm.sh/helm/v4/cmd/helm', 'sigs.k8s.io/kwok/cmd/kwok', './pause'];

function isSource(file: string): boolean {
  return file.endsWith('.go') || file === 'go.mod' || file === 'go.sum';
}

async function sourceFiles(): Promise<string[]> {
  const files = await readdir(sourceDir, { recursive: true });
  return files.filter(isSource).sort();
}

/** One hash over names and contents: two checkouts with the same sources share their programs. */
export function contentKey(files: readonly { name: string; content: string }[], toolchain: string): string {
  const hash = createHash('sha256').update(`${toolchain}\0`);
  for (const { name, content } of files) hash.update(`${name}\0${content.length}\0${content}`);
  return hash.digest('hex').slice(0, 16);
}

/** The version of a module that go.mod requires. */
export function requiredVersion(goMod: string, module: string): string {
  const line = goMod.split('\n').find((one) => one.trim().startsWith(`${module} v`));
  if (!line) throw new Error(`go.mod does not require ${module}`);
  return line.trim().split(' ')[1] ?? '';
}

/** Versions are set by the linker; without them kubectl and Helm take the server and themselves for v0.0.0. */
export function linkerFlags(goMod: string): string {
  const version = requiredVersion(goMod, 'k8s.io/kubernetes');
  const [major = '', minor = ''] = version.slice(1).split('.');
  const values = { gitVersion: version, gitMajor: major, gitMinor: minor };
  const stamped = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((pkg) =>
    Object.entries(values).map(([name, value]) => `-X ${pkg}.${name}=${value}`),
  );
  const helm = requiredVersion(goMod, 'helm.sh/helm/v4');
  return ['-s -w', ...stamped, `-X helm.sh/helm/v4/internal/version.version=${helm}`].join(' ');
}

function binariesIn(folder: string): Binaries {
  const at = (name: keyof Binaries) => path.join(folder, name);
  return { k8s: at('k8s'), helm: at('helm'), kwok: at('kwok'), pause: at('pause') };
}

function readGoMod(): Promise<string> {
  return readFile(path.join(sourceDir, 'go.mod'), 'utf8');
}

async function binariesFolder(): Promise<string> {
  const names = await sourceFiles();
  const files = await Promise.all(
    names.map(async (name) => ({ name, content: await readFile(path.join(sourceDir, name), 'utf8') })),
  );
  const toolchain = await exec('go', ['env', 'GOVERSION', 'GOARCH'], { cwd: sourceDir });
  return path.join(
    cacheDir(),
    'binaries',
    contentKey(files, `${toolchain}${linkerFlags(await readGoMod())}`),
  );
}

/** Paths of the programs; builds them when these sources were never built on this machine. */
export async function ensureBinaries({ report = quiet }: ReportOption = {}): Promise<Binaries> {
  await checkGo();
  const folder = await binariesFolder();
  if (existsSync(folder)) return binariesIn(folder);
  return withLock(
    path.join(cacheDir(), 'binaries.lock'),
    async () => {
      if (!existsSync(folder)) await build(folder, report);
      return binariesIn(folder);
    },
    () => report('waiting for another build of Kubernetes on this machine'),
  );
}

async function build(folder: string, report: Report): Promise<void> {
  const version = requiredVersion(await readGoMod(), 'k8s.io/kubernetes');
  report(`building Kubernetes ${version}, Helm and kwok from source: once, about 6 minutes on 2 cores`);
  await mkdir(path.dirname(folder), { recursive: true });
  const scratch = await mkdtemp(`${folder}.building-`);
  const started = performance.now();
  try {
    await compile(scratch, report);
    for (const name of Object.keys(builtNames) as (keyof Binaries)[]) {
      await rename(path.join(scratch, builtNames[name]), path.join(scratch, name));
    }
    // Programs appear under their final path all at once, or not at all.
    await rename(scratch, folder);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  await removeOldVersions(folder);
  report(`built Kubernetes in ${elapsed(started)}`);
}

export function elapsed(started: number, now: number = performance.now()): string {
  const seconds = Math.round((now - started) / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

async function compile(target: string, report: Report): Promise<void> {
  const started = performance.now();
  let compiled = 0;
  let current = '';
  const problems: string[] = [];
  // Each line of `go build -v` is a package whose compilation began, or a download.
  const onErrorLine = (line: string) => {
    if (line.startsWith('go: downloading')) {
      current = line.slice('go: '.length);
      return;
    }
    // A package's path has no blanks; what has some is the compiler's or the linker's complaint.
    if (line.includes(' ')) {
      problems.push(line);
      return;
    }
    compiled += 1;
    current = line;
  };
  const ticker = setInterval(
    () => report(`building Kubernetes: ${elapsed(started)}, ${compiled} packages compiled, now ${current}`),
    15_000,
  );
  try {
    const args = [
      'build',
      '-v',
      '-trimpath',
      '-ldflags',
      linkerFlags(await readGoMod()),
      '-o',
      `${target}/`,
      ...packages,
    ];
    await exec('go', args, { cwd: sourceDir, env: { CGO_ENABLED: '0', GOOS: 'linux' }, onErrorLine });
  } catch (cause) {
    throw new ClusterError(
      'the Go build of Kubernetes failed (it needs the Go module proxy, 3 GB of memory and 8 GB of disk):\n' +
        (problems.slice(-20).join('\n') || String(cause)),
      { cause },
    );
  } finally {
    clearInterval(ticker);
  }
}

/** Called under the lock, so that a folder half built belongs to a build that was killed. */
async function removeOldVersions(current: string): Promise<void> {
  const parent = path.dirname(current);
  await utimes(current, new Date(), new Date());
  const folders = await Promise.all(
    (await readdir(parent)).map(async (name) => {
      const folder = path.join(parent, name);
      return { folder, made: name.includes('.building-') ? 0 : (await stat(folder)).mtimeMs };
    }),
  );
  const newestFirst = folders.sort((a, b) => b.made - a.made);
  const outdated = newestFirst.filter(({ made }, index) => made === 0 || index >= keptVersions);
  await Promise.all(outdated.map(({ folder }) => rm(folder, { recursive: true, force: true })));
}
