/** What the cluster changes on its machine beyond processes and files, and how to undo it. */
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { exec, succeeds } from './exec';
import type { ClusterPaths } from './paths';
import { imageStoreDir, runDir } from './paths';
import { allPids, mounts, parseMounts, type Mount } from './procfs';
import { bridge, natTable, networkName, nodeAddress, podNetwork } from './settings';
import { waitFor } from './wait';

/**
 * The bridge's hardware address. Without one of its own a bridge takes its members' lowest, which changes as pods come
 * and go, and the others then talk to an address that is gone. It also tells our bridge from another plugin's.
 */
const bridgeHardwareAddress = '02:53:0a:f4:00:01';

export type BridgeOwner = 'nobody' | 'us' | 'another';

export function bridgeOwner(): BridgeOwner {
  const folder = `/sys/class/net/${bridge}`;
  if (!existsSync(folder)) return 'nobody';
  const address = readFileSync(path.join(folder, 'address'), 'utf8').trim();
  return address === bridgeHardwareAddress ? 'us' : 'another';
}

const natRules = `
add table ip ${natTable}
flush table ip ${natTable}
table ip ${natTable} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${podNetwork} ip daddr != ${podNetwork} oifname != "${bridge}" masquerade
  }
}
`;

/** Each step is idempotent: an interrupted start is simply repeated. */
export async function prepareHost(): Promise<void> {
  await exec('mount', ['--make-rshared', '/']);
  if (bridgeOwner() === 'nobody') {
    await exec('ip', ['link', 'add', 'name', bridge, 'address', bridgeHardwareAddress, 'type', 'bridge']);
  }
  await exec('ip', ['address', 'replace', `${nodeAddress}/24`, 'dev', bridge]);
  await exec('ip', ['link', 'set', bridge, 'up']);
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  await exec('nft', ['-f', '-'], { input: natRules });
}

/** Mounts under the folders, the innermost first, which is the order in which they can be undone. */
export function mountsUnder(all: readonly Mount[], folders: readonly string[]): string[] {
  return all
    .map(({ point }) => point)
    .filter((point) => folders.some((folder) => point === folder || point.startsWith(`${folder}/`)))
    .sort((a, b) => b.length - a.length);
}

async function unmountUnder(folders: readonly string[]): Promise<void> {
  for (const point of mountsUnder(mounts(), folders)) {
    // Lazily, since a process may still use the mount; it then goes with that process.
    if (!(await succeeds('umount', [point]))) await succeeds('umount', ['-l', point]);
  }
}

/** Folders of every cgroup hierarchy: version 1 has one per controller, version 2 a single one. */
export function cgroupHierarchies(all: readonly Mount[]): string[] {
  return all.filter(({ type }) => type === 'cgroup' || type === 'cgroup2').map(({ point }) => point);
}

function foldersDepthFirst(root: string): string[] {
  if (!existsSync(root)) return [];
  const children = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...children.flatMap(({ name }) => foldersDepthFirst(path.join(root, name))), root];
}

function kubepods(): string[] {
  return cgroupHierarchies(mounts()).map((folder) => path.join(folder, 'kubepods'));
}

/** Every process in a pod's cgroup: leftovers of containers whose shim has gone. */
function killPodProcesses(): number {
  const procs = kubepods()
    .flatMap(foldersDepthFirst)
    .map((folder) => path.join(folder, 'cgroup.procs'))
    .filter(existsSync);
  const pids = new Set(
    procs.flatMap((file) => readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number)),
  );
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  return pids.size;
}

async function removePodCgroups(): Promise<void> {
  await waitFor(() => killPodProcesses() === 0, { what: 'the processes of pods to end', timeoutMs: 20_000 });
  for (const folder of kubepods().flatMap(foldersDepthFirst)) {
    // A group stays busy for a moment after its last process.
    await waitFor(() => removeFolder(folder), {
      what: `the control group ${folder} to empty`,
      timeoutMs: 10_000,
    });
  }
}

function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false;
    throw error;
  }
}

function usedNamespaces(): Set<string> {
  return new Set(
    allPids().map((pid) => {
      try {
        return /\d+/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[0] ?? '';
      } catch {
        return '';
      }
    }),
  );
}

/** Network namespaces of pods without any process left; their interfaces go with them. */
export async function leftoverNamespaces(): Promise<string[]> {
  const folder = '/run/netns';
  if (!existsSync(folder)) return [];
  const used = usedNamespaces();
  return (await readdir(folder))
    .filter((name) => name.startsWith('cni-'))
    .filter((name) => !used.has(String(lstatSync(path.join(folder, name)).ino)));
}

/** The kubelet links each container's log here; only links into our folder are ours. */
async function removeLogLinks(paths: ClusterPaths): Promise<void> {
  const folder = '/var/log/containers';
  if (!existsSync(folder)) return;
  for (const name of await readdir(folder)) {
    const link = path.join(folder, name);
    if (lstatSync(link).isSymbolicLink() && readlinkSync(link).startsWith(`${paths.podLogs}/`)) rmSync(link);
  }
  removeFolder(folder);
}

/** The one folder that the kubelet always makes outside its own. */
async function removeDevicePlugins(): Promise<void> {
  const folder = '/var/lib/kubelet/device-plugins';
  if (!existsSync(folder)) return;
  await rm(path.join(folder, 'kubelet.sock'), { force: true });
  removeFolder(folder);
  removeFolder(path.dirname(folder));
}

/** libcni keeps the result of each attachment under the name of its network. */
async function removeNetworkResults(): Promise<void> {
  const folder = '/var/lib/cni/results';
  if (!existsSync(folder)) return;
  const ours = (await readdir(folder)).filter((name) => name.startsWith(`${networkName}-`));
  await Promise.all(ours.map((name) => rm(path.join(folder, name), { force: true })));
  removeFolder(folder);
  removeFolder(path.dirname(folder));
}

export async function cleanHost(paths: ClusterPaths): Promise<void> {
  await removePodCgroups();
  await unmountUnder([paths.root, runDir, path.join(imageStoreDir(), 'tmpmounts')]);
  for (const name of await leftoverNamespaces()) await exec('ip', ['netns', 'delete', name]);
  await removeNetworkResults();
  await removeLogLinks(paths);
  await removeDevicePlugins();
  if (bridgeOwner() === 'us') await exec('ip', ['link', 'delete', bridge]);
  for (const table of [`ip ${natTable}`, 'ip kube-proxy', 'ip6 kube-proxy']) {
    await succeeds('nft', ['delete', 'table', ...table.split(' ')]);
  }
  await rm(runDir, { recursive: true, force: true });
}

/** What the cluster has left on the machine, one phrase each; empty when nothing. */
export async function leftovers(paths: ClusterPaths): Promise<string[]> {
  const tables = (await exec('nft', ['list', 'tables']))
    .split('\n')
    .map((line) => line.replace(/^table /, ''));
  const ours = new Set([`ip ${natTable}`, 'ip kube-proxy', 'ip6 kube-proxy']);
  return [
    ...mountsUnder(parseMounts(readFileSync('/proc/mounts', 'utf8')), [paths.root, runDir]).map(
      (point) => `mount ${point}`,
    ),
    ...kubepods()
      .filter(existsSync)
      .map((folder) => `control group ${folder}`),
    ...(await leftoverNamespaces()).map((name) => `network namespace ${name}`),
    ...(bridgeOwner() === 'us' ? [`bridge ${bridge}`] : []),
    ...tables.filter((table) => ours.has(table)).map((table) => `nft table ${table}`),
    ...(existsSync(runDir) ? [`folder ${runDir}`] : []),
  ];
}
