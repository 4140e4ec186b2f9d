/** Built-in resources the operator touches, with the types of their JSON. */
import type {
  V1ConfigMap,
  V1Deployment,
  V1EndpointSlice,
  V1Ingress,
  V1Job,
  V1Namespace,
  V1NetworkPolicy,
  V1Node,
  V1Pod,
  V1PodDisruptionBudget,
  V1PodTemplateSpec,
  V1Service,
  V2HorizontalPodAutoscaler,
} from '@kubernetes/client-node';
import type { KubeObject, Resource } from '../runtime/objects';

/** client-node's classes, with Dates as the strings in JSON. */
export type Json<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? Json<Item>[]
    : T extends object
      ? { [Key in keyof T]: Json<T[Key]> }
      : T;

type Native<T> = KubeObject & Omit<Json<T>, 'apiVersion' | 'kind' | 'metadata'>;

export type Job = Native<V1Job>;
export type Pod = Native<V1Pod>;
export type Deployment = Native<V1Deployment>;
export type Service = Native<V1Service>;
export type EndpointSlice = Native<V1EndpointSlice>;
export type Ingress = Native<V1Ingress>;
type Policy = Native<V1NetworkPolicy>;
type PolicySpec = NonNullable<Policy['spec']>;
type IngressRule = NonNullable<PolicySpec['ingress']>[number];
/** `from` has another name in client-node's class than in JSON. */
export type NetworkPolicy = Omit<Policy, 'spec'> & {
  spec?: Omit<PolicySpec, 'ingress'> & {
    ingress?: (Omit<IngressRule, '_from'> & { from?: IngressRule['_from'] })[];
  };
};
export type PodDisruptionBudget = Native<V1PodDisruptionBudget>;
export type ConfigMap = Native<V1ConfigMap>;
export type HorizontalPodAutoscaler = Native<V2HorizontalPodAutoscaler>;
export type Node = Native<V1Node>;
export type Namespace = Native<V1Namespace>;
export type PodTemplate = Json<V1PodTemplateSpec>;

export const jobs: Resource<Job> = {
  group: 'batch',
  version: 'v1',
  plural: 'jobs',
  kind: 'Job',
  namespaced: true,
};

export const pods: Resource<Pod> = {
  group: '',
  version: 'v1',
  plural: 'pods',
  kind: 'Pod',
  namespaced: true,
};

export const deployments: Resource<Deployment> = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  kind: 'Deployment',
  namespaced: true,
};

export const replicaSets: Resource = {
  group: 'apps',
  version: 'v1',
  plural: 'replicasets',
  kind: 'ReplicaSet',
  namespaced: true,
};

/** A snapshot of a version, as a StatefulSet keeps of its templates. */
export type ControllerRevision<Data = unknown> = KubeObject & { revision: number; data?: Data };

export const controllerRevisions: Resource<ControllerRevision> = {
  group: 'apps',
  version: 'v1',
  plural: 'controllerrevisions',
  kind: 'ControllerRevision',
  namespaced: true,
};

export const services: Resource<Service> = {
  group: '',
  version: 'v1',
  plural: 'services',
  kind: 'Service',
  namespaced: true,
};

export const ingresses: Resource<Ingress> = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'ingresses',
  kind: 'Ingress',
  namespaced: true,
};

export const networkPolicies: Resource<NetworkPolicy> = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'networkpolicies',
  kind: 'NetworkPolicy',
  namespaced: true,
};

export const podDisruptionBudgets: Resource<PodDisruptionBudget> = {
  group: 'policy',
  version: 'v1',
  plural: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
  namespaced: true,
};

export const configMaps: Resource<ConfigMap> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};

export const horizontalPodAutoscalers: Resource<HorizontalPodAutoscaler> = {
  group: 'autoscaling',
  version: 'v2',
  plural: 'horizontalpodautoscalers',
  kind: 'HorizontalPodAutoscaler',
  namespaced: true,
};

export const endpointSlices: Resource<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
};

export const namespaces: Resource<Namespace> = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};

export const nodes: Resource<Node> = {
  group: '',
  version: 'v1',
  plural: 'nodes',
  kind: 'Node',
  namespaced: false,
};
