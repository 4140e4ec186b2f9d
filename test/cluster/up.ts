/** Brings the cluster to its desired state from any state: each step looks first, then acts. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { Resolver } from 'node:dns/promises';
import path from 'node:path';
import { ensureBinaries, elapsed, quiet, type Binaries, type Report, type ReportOption } from './binaries';
import {
  componentNames,
  components,
  containerdComponent,
  kubeconfigOf,
  type Component,
  type ComponentName,
} from './components';
import {
  apiServerUrl,
  auditPolicy,
  cniConfig,
  containerdConfig,
  corefile,
  kubeletConfig,
  kubeProxyConfig,
  nameservers,
} from './configs';
import { writeIfDifferent } from './files';
import { prepareHost } from './host';
import { api, type Api } from './http';
import { ensurePauseImage } from './images';
import { withLock } from './lock';
import { bootstrapObjects } from './objects';
import { installPackages } from './packages';
import { cacheDir, clusterPaths, runDir, type ClusterPaths } from './paths';
import { ensurePki, writeAdminKubeconfig, writeComponentKubeconfig, type User } from './pki';
import { preflight } from './preflight';
import { assertRunning, end, recorded, start, strays } from './processes';
import { kubernetesServiceAddress, loopback, nodeAddress, nodeName } from './settings';
import { waitFor } from './wait';

export type UpOptions = {
  /** How many fake `nvidia.com/gpu` the node offers; left out, the number given last stays. */
  gpus?: number | undefined;
  report?: Report | undefined;
};

export type Cluster = { kubeconfig: string; url: string; auditLog: string; binaries: Binaries };

export function clusterLock<T>(work: () => Promise<T>, report: Report): Promise<T> {
  return withLock(path.join(cacheDir(), 'cluster.lock'), work, () =>
    report('waiting for another command that starts or stops this cluster'),
  );
}

export async function clusterUp(options: UpOptions = {}): Promise<Cluster> {
  const report = options.report ?? quiet;
  const paths = clusterPaths();
  const result = (binaries: Binaries): Cluster => ({
    kubeconfig: paths.kubeconfig,
    url: apiServerUrl(),
    auditLog: paths.auditLog,
    binaries,
  });
  const started = performance.now();
  if (!isComplete(paths)) await preflight();
  const [binaries] = await Promise.all([ensureBinaries({ report }), installPackages(report)]);
  return clusterLock(async () => {
    if (await isHealthy(paths, binaries)) {
      await setGpus(paths, options.gpus);
      report('the cluster is up');
      return result(binaries);
    }
    await preflight();
    await bringUp(paths, binaries, report);
    await setGpus(paths, options.gpus);
    await writeFile(paths.complete, '');
    report(`the cluster is up (${elapsed(started)})`);
    return result(binaries);
  }, report);
}

function isComplete(paths: ClusterPaths): boolean {
  return existsSync(paths.complete) && componentNames.every((name) => recorded(paths, name));
}

async function isHealthy(paths: ClusterPaths, binaries: Binaries): Promise<boolean> {
  if (!isComplete(paths)) return false;
  const checks = components(paths, binaries).map((component) => component.healthy());
  const results = await Promise.all([...checks, nodeIsReady(api(apiServerUrl(), paths.pki))]);
  return results.every(Boolean);
}

/** Containerd alone, which is all that loading an image needs: it can run while Kubernetes is still being built. */
export async function ensureContainerd({ report = quiet }: ReportOption = {}): Promise<void> {
  const paths = clusterPaths();
  const component = containerdComponent(paths);
  if (recorded(paths, 'containerd') && (await component.healthy())) return;
  await preflight();
  await installPackages(report);
  await clusterLock(() => startContainerd(paths), report);
}

/** Call it under the lock. */
export async function startContainerd(paths: ClusterPaths): Promise<void> {
  await mkdir(paths.config, { recursive: true });
  await mkdir(runDir, { recursive: true });
  await writeIfDifferent(path.join(paths.config, 'containerd.toml'), containerdConfig(paths));
  await ensureRunning(paths, [containerdComponent(paths)]);
}

async function bringUp(paths: ClusterPaths, binaries: Binaries, report: Report): Promise<void> {
  report('starting the cluster');
  for (const stray of strays(paths, componentNames)) await end(stray, `process ${stray.pid}`, 10_000);
  // An interrupted first start may have left half a cluster in etcd: start over.
  if (!existsSync(paths.complete) && !recorded(paths, 'etcd')) {
    await rm(paths.etcd, { recursive: true, force: true });
  }
  await prepareHost();
  const all = components(paths, binaries);
  const named = (...names: ComponentName[]) => all.filter(({ name }) => names.includes(name));
  const containers = startContainerd(paths).then(() => ensurePauseImage(binaries.pause));
  await Promise.all([
    containers,
    (async () => {
      await ensurePki(binaries.k8s, paths.pki, [nodeAddress, loopback, kubernetesServiceAddress]);
      await writeFiles(paths);
      await ensureRunning(paths, named('etcd'));
      await ensureRunning(paths, named('kube-apiserver'));
      report('the API server answers');
      await applyBootstrapObjects(api(apiServerUrl(), paths.pki));
    })(),
  ]);
  await ensureRunning(
    paths,
    named('kube-controller-manager', 'kube-scheduler', 'coredns', 'provisioner', 'kube-proxy', 'kubelet'),
  );
  report('every component answers');
  await awaitReadiness(paths);
}

/** Starts what is not running, and waits until everything works. */
async function ensureRunning(paths: ClusterPaths, wanted: readonly Component[]): Promise<void> {
  for (const { name, command } of wanted) {
    if (!recorded(paths, name)) start(paths, command);
  }
  await Promise.all(
    wanted.map((component) =>
      waitFor(() => component.healthy(), {
        what: `${component.name} to answer; its log is ${path.join(paths.logs, component.name)}.log`,
        timeoutMs: 120_000,
        abort: () => assertRunning(paths, component.name),
      }),
    ),
  );
}

async function writeFiles(paths: ClusterPaths): Promise<void> {
  const folders = [paths.config, paths.audit, paths.kubelet, paths.podLogs, paths.volumes, paths.cni];
  await Promise.all(folders.map((folder) => mkdir(folder, { recursive: true })));
  const config = (file: string) => path.join(paths.config, file);
  const resolvConf = existsSync('/etc/resolv.conf') ? readFileSync('/etc/resolv.conf', 'utf8') : undefined;
  const users: User[] = [
    'controller-manager',
    'scheduler',
    'kubelet',
    'kube-proxy',
    'coredns',
    'provisioner',
  ];
  await Promise.all([
    ...users.map((user) =>
      writeComponentKubeconfig(kubeconfigOf(paths, user), apiServerUrl(), paths.pki, user),
    ),
    writeAdminKubeconfig(paths.kubeconfig, apiServerUrl(), paths.pki),
    writeIfDifferent(config('audit-policy.yaml'), auditPolicy()),
    writeIfDifferent(
      config('kubelet.yaml'),
      kubeletConfig(paths, { hasResolvConf: resolvConf !== undefined }),
    ),
    writeIfDifferent(config('kube-proxy.yaml'), kubeProxyConfig(kubeconfigOf(paths, 'kube-proxy'))),
    writeIfDifferent(
      config('Corefile'),
      corefile(kubeconfigOf(paths, 'coredns'), nameservers(resolvConf ?? '')),
    ),
    writeIfDifferent(path.join(paths.cni, '10-sparsedm.conflist'), cniConfig(paths)),
  ]);
}

async function applyBootstrapObjects(client: Api): Promise<void> {
  await Promise.all(bootstrapObjects().map(({ path: at, object }) => client.apply(at, object)));
}

type Node = {
  status?: { conditions?: { type: string; status: string }[]; capacity?: Record<string, string> };
};

const nodePath = `/api/v1/nodes/${nodeName}`;

export async function nodeIsReady(client: Api): Promise<boolean> {
  const node = await client.get<Node>(nodePath).catch(() => undefined);
  return node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** A pod can start and find its services: the last things that come up after every component answers. */
async function awaitReadiness(paths: ClusterPaths): Promise<void> {
  const client = api(apiServerUrl(), paths.pki);
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers([nodeAddress]);
  await Promise.all([
    waitFor(() => nodeIsReady(client), { what: 'the node to be Ready', timeoutMs: 120_000 }),
    waitFor(() => client.get('/api/v1/namespaces/default/serviceaccounts/default').catch(() => undefined), {
      what: 'the default service account',
      timeoutMs: 60_000,
    }),
    waitFor(
      () =>
        resolver.resolve4('kubernetes.default.svc.cluster.local').then(
          (addresses) => addresses.includes(kubernetesServiceAddress),
          () => false,
        ),
      { what: 'cluster DNS to answer', timeoutMs: 60_000 },
    ),
  ]);
}

const gpuResource = 'nvidia.com/gpu';

/** A capacity without devices: scheduler and kubelet count it as they would count real ones. */
async function setGpus(paths: ClusterPaths, wanted: number | undefined): Promise<void> {
  const gpus = wanted ?? rememberedGpus(paths);
  if (gpus === undefined) return;
  await writeFile(paths.options, JSON.stringify({ gpus }));
  const client = api(apiServerUrl(), paths.pki);
  const capacity = await allocatable(client);
  if (Number(capacity ?? 0) === gpus) return;
  await client.patch(`${nodePath}/status`, 'application/merge-patch+json', {
    status: { capacity: { [gpuResource]: String(gpus) }, allocatable: { [gpuResource]: String(gpus) } },
  });
  await waitFor(async () => Number((await allocatable(client)) ?? 0) === gpus, {
    what: `the node to offer ${gpus} ${gpuResource}`,
    timeoutMs: 30_000,
  });
}

async function allocatable(client: Api): Promise<string | undefined> {
  const node = await client.get<{ status: { allocatable?: Record<string, string> } }>(nodePath);
  return node?.status.allocatable?.[gpuResource];
}

function rememberedGpus(paths: ClusterPaths): number | undefined {
  try {
    return (JSON.parse(readFileSync(paths.options, 'utf8')) as { gpus?: number }).gpus;
  } catch {
    return undefined;
  }
}
