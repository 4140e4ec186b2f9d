/** Stand-ins for the Deployment's controller and the kubelet of serving pods, and the pods' own tokens. */
import { NO_LOAD, type Load } from '../../src/autoscale/load';
import { loadAddress } from '../../src/inference/report';
import { ownerReference } from '../../src/kube/owner';
import { deployments, pods, type Deployment, type Pod } from '../../src/kube/resources';
import { reportUrl } from '../../src/reports/address';
import type { KubeObject, Resource } from '../../src/runtime/objects';
import type { ApiServer } from './api-server';
import { writeStatus } from './stand-ins';

const replicaSets: Resource<KubeObject & { spec?: unknown }> = {
  group: 'apps',
  version: 'v1',
  plural: 'replicasets',
  kind: 'ReplicaSet',
  namespaced: true,
};

/** A token as the kubelet mounts it: bound to the pod. */
export async function podToken(
  server: ApiServer,
  pod: Pod | undefined,
  audience = 'sparsedm.io',
  namespace = server.namespace,
  account = 'default',
): Promise<string> {
  const bound = pod && { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid: pod.metadata.uid };
  const answer = await server.transport.request<{ status: { token: string } }>({
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: [audience], expirationSeconds: 600, ...(bound && { boundObjectRef: bound }) },
    },
  });
  return answer.status.token;
}

/** A pod of the Deployment's template with its ReplicaSet, as the controllers make them. */
export async function createServingPod(
  server: ApiServer,
  deployment: Deployment,
  suffix: string,
): Promise<Pod> {
  const { template, selector } = deployment.spec!;
  const name = `${deployment.metadata.name}-1`;
  const key = { namespace: server.namespace, name };
  const replicaSet =
    (await server.client.get(replicaSets, key)) ??
    (await server.client.create(replicaSets, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        ...key,
        ownerReferences: [{ ...ownerReference(deployment), apiVersion: 'apps/v1', kind: 'Deployment' }],
      },
      spec: { replicas: 0, selector, template },
    }));
  return server.client.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-${suffix}`,
      namespace: server.namespace,
      labels: template.metadata!.labels as Record<string, string>,
      ownerReferences: [{ ...ownerReference(replicaSet), apiVersion: 'apps/v1', kind: 'ReplicaSet' }],
    },
    spec: template.spec!,
  });
}

/**
 * Plays the Deployment's controller and the kubelet: as many ready pods as asked for, named a, b, c ..., all of them
 * at this address.
 */
export async function followReplicas(
  server: ApiServer,
  deployment: Deployment,
  podIP?: string,
): Promise<Pod[]> {
  const { name } = deployment.metadata;
  const live = (await server.client.get(deployments, { namespace: server.namespace, name }))!;
  const replicas = live.spec?.replicas ?? 0;
  const owned = await podsOf(server, deployment);
  for (const pod of owned.slice(replicas)) {
    await server.client.delete(
      pods,
      { namespace: server.namespace, name: pod.metadata.name },
      { gracePeriodSeconds: 0 },
    );
  }
  for (let index = owned.length; index < replicas; index++) {
    const pod = await createServingPod(server, live, String.fromCharCode(97 + index));
    await writeStatus(server, pods, pod, {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
      ...(podIP === undefined ? {} : { podIP, podIPs: [{ ip: podIP }] }),
    });
  }
  await writeStatus(server, deployments, deployment, {
    observedGeneration: live.metadata.generation,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
  });
  return podsOf(server, deployment);
}

async function podsOf(server: ApiServer, { metadata, spec }: Deployment): Promise<Pod[]> {
  const labels = Object.entries(spec?.selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const found = await server.client.list(pods, {
    namespace: server.namespace,
    labelSelector: labels.join(','),
  });
  return found
    .filter((pod) => pod.metadata.name.startsWith(`${metadata.name}-1-`))
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

const tokens = new Map<string, string>();

/** Reports the load of a pod with its own token. */
export async function reportLoad(
  server: ApiServer,
  reportsUrl: string,
  name: string,
  pod: Pod,
  load: Partial<Load>,
): Promise<Response> {
  const uid = pod.metadata.uid!;
  if (!tokens.has(uid)) tokens.set(uid, await podToken(server, pod));
  return fetch(reportUrl(reportsUrl, loadAddress, { namespace: server.namespace, name }), {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.get(uid)}` },
    body: JSON.stringify({ ...NO_LOAD, ...load }),
  });
}
