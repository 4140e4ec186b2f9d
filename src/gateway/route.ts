/** Where the requests for one service can go, from what the API server holds. */
import type { SparseInferenceService } from '../api/types';
import { findCondition } from '../kube/conditions';
import { labels, serverPort } from '../kube/names';
import type { Pod } from '../kube/resources';
import { keyOf, type ObjectKey } from '../runtime/objects';
import { isDeleting, isOver, isReady } from '../workload/pod-state';

export type Replica = {
  /** Of its pod. */
  uid: string;
  /** For example http://10.1.2.3:8080. */
  origin: string;
  /** The version that it serves; undefined for pods from before versions had names. */
  revision: string | undefined;
};

export type Canary = { revision: string; weightPercent: number };

export type Route = {
  key: ObjectKey;
  /** The port on which this service's requests arrive. */
  port: number;
  /** Whether the Service leads to the pods, so that clients should leave their connections to the gateway. */
  isDirect: boolean;
  /** How long the last wake took, in seconds. */
  wakeSeconds: number | undefined;
  canary: Canary | undefined;
  /** The replicas that are ready. */
  replicas: readonly Replica[];
  /** Those with an address that are not, and do not end. */
  starting: readonly Replica[];
  /** The uids of all pods that have not ended: a request may still be in one that is no longer ready. */
  alive: ReadonlySet<string>;
  /** Why no replica is ready, in the operator's words. */
  reason: string;
};

/** Undefined while the operator has given the service no port. */
export function routeOf(service: SparseInferenceService, pods: readonly Pod[]): Route | undefined {
  const { traffic, conditions } = service.status ?? {};
  if (traffic?.gatewayPort === undefined) return undefined;
  const { mode, gatewayPort, wakeSeconds, canary } = traffic;
  const living = pods.filter((pod) => !isOver(pod));
  const staying = living.filter((pod) => !isDeleting(pod));
  return {
    key: keyOf(service),
    port: gatewayPort,
    isDirect: mode !== 'Gateway',
    wakeSeconds: wakeSeconds === undefined ? undefined : Number(wakeSeconds),
    canary,
    replicas: staying.filter(isReady).flatMap(replicaOf),
    starting: staying.filter((pod) => !isReady(pod)).flatMap(replicaOf),
    alive: new Set(living.map(({ metadata }) => metadata.uid ?? '')),
    reason: findCondition(conditions, 'DeploymentReady')?.message ?? 'The operator has not said why.',
  };
}

function replicaOf({ metadata, status }: Pod): Replica[] {
  const address = status?.podIP;
  if (address === undefined || metadata.uid === undefined) return [];
  const host = address.includes(':') ? `[${address}]` : address;
  const revision = metadata.labels?.[labels.revision];
  return [{ uid: metadata.uid, origin: `http://${host}:${serverPort}`, revision }];
}

/** What the gateway keeps of a pod. */
export function routedPod({ apiVersion, kind, metadata, status = {} }: Pod): Pod {
  const { name, namespace = '', uid = '', resourceVersion = '', deletionTimestamp } = metadata;
  const given = metadata.labels ?? {};
  const kept = [labels.service, labels.revision].filter((label) => given[label] !== undefined);
  const { phase, podIP, conditions = [] } = status;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      labels: Object.fromEntries(kept.map((label) => [label, given[label]!])),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    status: {
      ...(phase === undefined ? {} : { phase }),
      ...(podIP === undefined ? {} : { podIP }),
      conditions: conditions.filter(({ type }) => type === 'Ready'),
    },
  };
}
