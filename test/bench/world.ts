/**
 * The cluster of one measurement: etcd and API server, with kwok for the kubelets and job-controller.ts for Job
 * controller and scheduler. Kubernetes' own two take three times the CPU of everything else together, so on a small
 * machine ten thousand runs would measure them and nothing else.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { namespaces, pods, type Pod } from '../../src/kube/resources';
import { realClock } from '../../src/runtime/clock';
import { loadConnection } from '../../src/runtime/http/credentials';
import { createTransport, type Transport } from '../../src/runtime/http/transport';
import { collectionPath, objectPath, type Resource } from '../../src/runtime/objects';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane';
import { waitFor } from '../cluster/wait';
import { installDefinitions } from '../integration/setup';
import { startProgram, type Program } from './programs';
import { kwokConfig } from './stages';

export const namespace = 'bench';
/** Nodes that kwok simulates. */
export const nodeNames = ['kwok-0', 'kwok-1', 'kwok-2', 'kwok-3'] as const;

export type World = {
  plane: ControlPlane;
  transport: Transport;
  /** Folder for logs, removed with the control plane unless that is kept. */
  logs: string;
  /** Throws when a part of it has ended. */
  check(): void;
  stop(): Promise<void>;
};

const nodes: Resource = { ...pods, plural: 'nodes', kind: 'Node', namespaced: false };
const accounts: Resource = { ...pods, plural: 'serviceaccounts', kind: 'ServiceAccount' };

function creator(transport: Transport) {
  return (resource: Resource, object: object) =>
    transport.request({ method: 'POST', path: collectionPath(resource, namespace), body: object });
}

async function populate(transport: Transport): Promise<void> {
  const create = creator(transport);
  await installDefinitions(transport);
  await create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await create(accounts, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace },
  });
  for (const name of nodeNames) await create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name } });
}

async function startKwok({ binaries, directory, kubeconfig }: ControlPlane, logs: string): Promise<Program> {
  const config = path.join(directory, 'kwok.yaml');
  await writeFile(config, kwokConfig());
  return startProgram({
    name: 'kwok',
    command: [
      binaries.kwok,
      `--kubeconfig=${kubeconfig}`,
      `--config=${config}`,
      '--manage-all-nodes=true',
      '--node-lease-duration-seconds=0',
    ],
    logFile: path.join(logs, 'kwok.log'),
  });
}

/** Waits until one pod has run to its end, so that start-up is not measured. */
async function rehearse(transport: Transport): Promise<void> {
  const name = 'rehearsal';
  const create = creator(transport);
  const spec = {
    containers: [{ name: 'trainer', image: 'none' }],
    restartPolicy: 'Never',
    nodeName: nodeNames[0],
  };
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
  let kwok: Program | undefined;
  const stop = async () => {
    await kwok?.stop();
    await transport.close();
    await plane.stop();
  };
  try {
    await populate(transport);
    kwok = await startKwok(plane, logs);
    await rehearse(transport);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    plane,
    transport,
    logs,
    check: () => kwok?.check(),
    stop,
  };
}
