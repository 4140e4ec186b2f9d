/**
 * The cluster of one measurement: etcd and API server, the Job controller and the scheduler of Kubernetes, and kwok in
 * the place of kubelets. Nobody but the Job controller writes Jobs' status, and nobody but kwok that of running pods.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { namespaces, persistentVolumeClaims, pods, type Pod } from '../../src/kube/resources';
import { realClock } from '../../src/runtime/clock';
import { loadConnection } from '../../src/runtime/credentials';
import { collectionPath, objectPath, type Resource } from '../../src/runtime/objects';
import { createTransport, type Transport } from '../../src/runtime/transport';
import { controllerManagerArgs, schedulerArgs } from '../cluster/configs';
import { freePorts, startControlPlane, type ControlPlane } from '../cluster/control-plane';
import { answers } from '../cluster/http';
import { writeComponentKubeconfig } from '../cluster/pki';
import { loopback } from '../cluster/settings';
import { waitFor } from '../cluster/wait';
import { installDefinitions } from '../integration/setup';
import { startProgram, type Program } from './programs';
import { kwokConfig } from './stages';

export const namespace = 'bench';
/** The claim that runs write to. */
export const claim = 'models';
const nodeCount = 4;

export type World = {
  plane: ControlPlane;
  transport: Transport;
  /** Folder for logs, which goes with the control plane unless that is kept. */
  logs: string;
  /** Throws when a part of it has ended. */
  check(): void;
  stop(): Promise<void>;
};

/** The components' own limits on requests, with which 10,000 objects would take an hour, are lifted. */
const unlimited = ['--kube-api-qps=5000', '--kube-api-burst=10000'];

const clusterResource = (group: string, plural: string, kind: string): Resource => ({
  group,
  version: 'v1',
  plural,
  kind,
  namespaced: false,
});
const nodes = clusterResource('', 'nodes', 'Node');
const volumes = clusterResource('', 'persistentvolumes', 'PersistentVolume');
const accounts: Resource = { ...pods, plural: 'serviceaccounts', kind: 'ServiceAccount' };

function writer(transport: Transport) {
  const create = (resource: Resource, object: object) =>
    transport.request({ method: 'POST', path: collectionPath(resource, namespace), body: object });
  const patch = (resource: Resource, name: string, body: object, subresource = '') =>
    transport.request({
      method: 'PATCH',
      path: objectPath(resource, { namespace, name }) + subresource,
      contentType: 'application/merge-patch+json',
      body,
    });
  return { create, patch };
}

/** Nodes that take every pod; without a node controller, the taint that they are born with is removed by hand. */
async function createNodes(transport: Transport): Promise<void> {
  const { create, patch } = writer(transport);
  const room = { cpu: '100k', memory: '1Pi', pods: '100k' };
  for (let index = 0; index < nodeCount; index++) {
    const name = `kwok-${index}`;
    await create(nodes, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name } },
      status: { allocatable: room, capacity: room },
    });
    await patch(nodes, name, { spec: { taints: null } });
  }
}

/** A claim that is bound already, for no volume controller runs that could bind it. */
async function createClaim(transport: Transport): Promise<void> {
  const { create, patch } = writer(transport);
  const size = { storage: '1Gi' };
  await create(volumes, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: claim },
    spec: {
      accessModes: ['ReadWriteMany'],
      capacity: size,
      hostPath: { path: '/nowhere' },
      claimRef: { kind: 'PersistentVolumeClaim', namespace, name: claim },
    },
  });
  await create(persistentVolumeClaims, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: claim,
      namespace,
      annotations: { 'pv.kubernetes.io/bind-completed': 'yes' },
    },
    spec: {
      accessModes: ['ReadWriteMany'],
      volumeName: claim,
      storageClassName: '',
      resources: { requests: size },
    },
  });
  await patch(persistentVolumeClaims, claim, { status: { phase: 'Bound', capacity: size } }, '/status');
  await patch(volumes, claim, { status: { phase: 'Bound' } }, '/status');
}

async function populate(transport: Transport): Promise<void> {
  const { create } = writer(transport);
  await installDefinitions(transport);
  await create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await create(accounts, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace },
  });
  await createNodes(transport);
  await createClaim(transport);
}

async function startComponents(plane: ControlPlane, logs: string): Promise<Program[]> {
  const { k8s, kwok } = plane.binaries;
  const pki = path.join(plane.directory, 'pki');
  const config = (name: string) => path.join(plane.directory, name);
  const [managerPort = 0, schedulerPort = 0] = await freePorts(2);
  await writeComponentKubeconfig(config('manager.kubeconfig'), plane.url, pki, 'controller-manager');
  await writeComponentKubeconfig(config('scheduler.kubeconfig'), plane.url, pki, 'scheduler');
  await writeFile(config('kwok.yaml'), kwokConfig());
  const start = (name: string, command: [string, ...string[]]) =>
    startProgram({ name, command, logFile: path.join(logs, `${name}.log`) });
  const programs = [
    start('kube-controller-manager', [
      k8s,
      'kube-controller-manager',
      ...controllerManagerArgs(pki, config('manager.kubeconfig'), managerPort),
      ...unlimited,
      '--controllers=job-controller',
      '--concurrent-job-syncs=20',
    ]),
    start('kube-scheduler', [
      k8s,
      'kube-scheduler',
      ...schedulerArgs(config('scheduler.kubeconfig')),
      ...unlimited,
      `--secure-port=${schedulerPort}`,
    ]),
    start('kwok', [
      kwok,
      `--kubeconfig=${plane.kubeconfig}`,
      `--config=${config('kwok.yaml')}`,
      '--manage-all-nodes=true',
      '--node-lease-duration-seconds=0',
    ]),
  ];
  for (const port of [managerPort, schedulerPort]) {
    await waitFor(() => answers(`https://${loopback}:${port}/healthz`), {
      what: `controller manager and scheduler to be healthy; their logs are in ${logs}`,
      timeoutMs: 60_000,
      abort: () => programs.forEach((program) => program.check()),
    });
  }
  return programs;
}

/** Until one pod has gone all its way, so that nobody measures the start of the parts. */
async function rehearse(transport: Transport): Promise<void> {
  const name = 'rehearsal';
  const { create } = writer(transport);
  const spec = { containers: [{ name: 'trainer', image: 'none' }], restartPolicy: 'Never' };
  await create(pods, { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, spec });
  const get = () => transport.request<Pod>({ method: 'GET', path: objectPath(pods, { namespace, name }) });
  await waitFor(async () => (await get()).status?.phase === 'Succeeded', {
    what: 'kwok to finish a pod',
    timeoutMs: 60_000,
  });
}

export async function startWorld(keep: boolean): Promise<World> {
  const plane = await startControlPlane({ keep });
  const logs = path.join(plane.directory, 'logs');
  await mkdir(logs);
  const transport = createTransport({
    connection: loadConnection({ kubeconfig: plane.kubeconfig }),
    clock: realClock,
    userAgent: 'sparsedm-bench/0.1.0',
  });
  const programs: Program[] = [];
  const stop = async () => {
    await Promise.all(programs.map((program) => program.stop()));
    await transport.close();
    await plane.stop();
  };
  try {
    await populate(transport);
    programs.push(...(await startComponents(plane, logs)));
    await rehearse(transport);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    plane,
    transport,
    logs,
    check: () => programs.forEach((program) => program.check()),
    stop,
  };
}
