/** Debian packages the node needs, and why. The one place that names them. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { exec } from './exec';
import { withLock } from './lock';
import { cacheDir } from './paths';
import type { Report } from './binaries';
import { ClusterError } from './wait';

export const packages = {
  containerd: 'runs the containers',
  runc: 'starts each container',
  'containernetworking-plugins': 'gives pods their addresses (bridge, host-local, loopback and portmap)',
  nftables: 'kube-proxy writes service rules with it',
  iproute2: 'makes the bridge',
  'ca-certificates': 'CoreDNS and pods on the host network reach the outside',
  buildah: 'builds the container images without Docker',
  mmdebstrap: 'makes their base image without a registry',
  'debian-archive-keyring': 'verifies what that base image is made of',
} as const;

export type PackageName = keyof typeof packages;

/** Names of `wanted` that dpkg does not report as installed. Its lines read "NAME STATUS". */
export function missingFrom(dpkgLines: string, wanted: readonly string[]): string[] {
  const installed = new Set(
    dpkgLines
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([, status]) => status === 'installed')
      .map(([name]) => name),
  );
  return wanted.filter((name) => !installed.has(name));
}

export async function missingPackages(wanted: readonly string[] = Object.keys(packages)): Promise<string[]> {
  // dpkg-query fails as soon as one name is unknown to it, but still prints the others.
  const lines = await exec('sh', [
    '-c',
    `dpkg-query -W -f '\${Package} \${db:Status-Status}\\n' "$@" 2>/dev/null || true`,
    'dpkg-query',
    ...wanted,
  ]);
  return missingFrom(lines, wanted);
}

const aptOptions = ['-qq', '-y', '-o', 'DPkg::Lock::Timeout=300'];
const quietly = { DEBIAN_FRONTEND: 'noninteractive' };

/**
 * The folder of the cache with the files of a Debian package, which is not installed: no daemon starts, and nobody has to
 * be root.
 */
export async function unpackedPackage(name: string, report: Report): Promise<string> {
  const home = path.join(cacheDir(), name);
  await withLock(
    path.join(cacheDir(), `${name}.lock`),
    async () => {
      if (existsSync(home)) return;
      report(`unpacking the Debian package ${name}`);
      const scratch = await mkdtemp(path.join(tmpdir(), `${name}-`));
      try {
        await exec('apt-get', ['download', '-qq', name], { cwd: scratch });
        const [file = ''] = await readdir(scratch);
        await exec('dpkg', ['-x', path.join(scratch, file), `${home}.new`]);
        await rename(`${home}.new`, home);
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
    },
    () => report(`waiting for another unpacking of ${name}`),
  );
  return home;
}

/** Installs what is missing of all packages, or of those named. */
export async function installPackages(report: Report, wanted?: readonly string[]): Promise<void> {
  if ((await missingPackages(wanted)).length === 0) return;
  // apt-get waits for dpkg's lock but not for that of the package lists.
  await withLock(
    path.join(cacheDir(), 'packages.lock'),
    async () => {
      const missing = await missingPackages(wanted);
      if (missing.length > 0) await install(missing, report);
    },
    () => report('waiting for another installation of packages'),
  );
}

async function install(missing: readonly string[], report: Report): Promise<void> {
  report(`installing Debian packages: ${missing.join(', ')}`);
  const aptInstall = () =>
    exec('apt-get', ['install', '--no-install-recommends', ...aptOptions, ...missing], { env: quietly });
  try {
    // Package lists may be missing or old. Fetch them only then: that takes longer than the installation.
    await aptInstall().catch(async () => {
      await exec('apt-get', ['update', ...aptOptions], { env: quietly });
      await aptInstall();
    });
  } catch (cause) {
    throw new ClusterError(
      `apt-get could not install ${missing.join(', ')}: install them by hand, then run this again (${String(cause)})`,
      { cause },
    );
  }
}
