/** Ways to install the chart that every test of rendered manifests covers. */
import type { RenderOptions, Values } from './helm';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

export type Case = {
  name: string;
  values: Values;
  options?: RenderOptions;
  wantKinds: Record<string, number>;
};

/** Operator and gateways, each with a Deployment, a Service and an account. */
const both = { Deployment: 2, Service: 2, ServiceAccount: 2, PodDisruptionBudget: 1 };
const always = { ...both, CustomResourceDefinition: 3 };

export const cases: Case[] = [
  {
    name: 'nothing set',
    values: {},
    wantKinds: { ...always, ClusterRole: 5, ClusterRoleBinding: 3, Role: 2, RoleBinding: 2 },
  },
  {
    name: 'no gateway',
    values: { gateway: { enabled: false } },
    wantKinds: {
      Deployment: 1,
      Service: 1,
      ServiceAccount: 1,
      CustomResourceDefinition: 3,
      ClusterRole: 4,
      ClusterRoleBinding: 2,
      Role: 1,
      RoleBinding: 1,
    },
  },
  {
    name: 'two namespaces only',
    values: { watchNamespaces: ['team-a', 'team-b'] },
    wantKinds: { ...always, ClusterRole: 3, ClusterRoleBinding: 1, Role: 6, RoleBinding: 6 },
  },
  {
    name: 'nothing cluster-wide',
    values: {
      watchNamespaces: ['team-a'],
      rbac: { tokenReviews: false, aggregateToUserRoles: false },
      crds: { install: false },
    },
    wantKinds: { ...both, Role: 4, RoleBinding: 4 },
  },
  {
    name: 'highly available',
    values: { replicas: 3, priorityClassName: 'system-cluster-critical' },
    wantKinds: {
      ...always,
      ClusterRole: 5,
      ClusterRoleBinding: 3,
      Role: 2,
      RoleBinding: 2,
      PodDisruptionBudget: 2,
    },
  },
  {
    name: 'images by digest from a private registry',
    values: {
      image: { repository: 'registry.example.com:5000/ml/operator', digest, pullPolicy: 'Always' },
      imagePullSecrets: [{ name: 'registry' }],
      trainer: { image: { repository: 'registry.example.com:5000/ml/trainer', digest } },
      serving: { image: { repository: 'ghcr.io/ml/serving', tag: '2.0.0-rc.1' } },
    },
    wantKinds: { ...always, ClusterRole: 5, ClusterRoleBinding: 3, Role: 2, RoleBinding: 2 },
  },
  {
    name: 'monitored',
    values: {
      metrics: { serviceMonitor: { enabled: true, interval: '15s', labels: { release: 'prometheus' } } },
      service: { annotations: { 'prometheus.io/scrape': 'true' } },
    },
    options: { apiVersions: ['monitoring.coreos.com/v1'] },
    wantKinds: {
      ...always,
      ClusterRole: 5,
      ClusterRoleBinding: 3,
      Role: 2,
      RoleBinding: 2,
      ServiceMonitor: 1,
    },
  },
  {
    name: 'everything that may watch or guard operator and gateways',
    values: {
      gateway: { replicas: 3 },
      metrics: { serviceMonitor: { enabled: true } },
      networkPolicy: { enabled: true },
    },
    options: { apiVersions: ['monitoring.coreos.com/v1'] },
    wantKinds: {
      ...always,
      ClusterRole: 5,
      ClusterRoleBinding: 3,
      Role: 2,
      RoleBinding: 2,
      NetworkPolicy: 2,
      ServiceMonitor: 1,
    },
  },
  {
    name: 'behind a network policy',
    values: {
      networkPolicy: {
        enabled: true,
        metricsFrom: [
          { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } },
          { ipBlock: { cidr: '10.0.0.0/8' } },
        ],
      },
    },
    wantKinds: {
      ...always,
      ClusterRole: 5,
      ClusterRoleBinding: 3,
      Role: 2,
      RoleBinding: 2,
      NetworkPolicy: 2,
    },
  },
  {
    name: 'everything about the pod set',
    values: {
      fullnameOverride: 'op',
      commonLabels: { team: 'vision', cost: '42' },
      podLabels: { sidecar: 'no' },
      podAnnotations: { note: 'a: b' },
      nodeSelector: { 'kubernetes.io/os': 'linux' },
      tolerations: [{ key: 'infra', operator: 'Exists', effect: 'NoSchedule' }],
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'gpu', operator: 'DoesNotExist' }] }],
          },
        },
      },
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule' },
      ],
      extraEnv: [
        { name: 'HTTPS_PROXY', value: 'http://proxy:3128' },
        { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      ],
      resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: 2, memory: '1Gi' } },
      serviceAccount: { annotations: { 'example.com/role': 'operator' } },
      terminationGracePeriodSeconds: 60,
      log: { level: 'debug' },
      concurrency: 32,
      debug: { endpoints: true },
    },
    wantKinds: { ...always, ClusterRole: 5, ClusterRoleBinding: 3, Role: 2, RoleBinding: 2 },
  },
  {
    name: 'the same keys everywhere',
    values: {
      commonLabels: { team: 'vision', sidecar: 'common', release: 'common', number: '1.2' },
      podLabels: { sidecar: 'pod', 'app.kubernetes.io/version': '9', 'app.kubernetes.io/part-of': 'ml' },
      podAnnotations: { 'kubectl.kubernetes.io/default-container': 'proxy' },
      metrics: {
        serviceMonitor: { enabled: true, labels: { release: 'monitor', 'app.kubernetes.io/part-of': 'ml' } },
      },
      imagePullSecrets: [{ name: 'registry' }, { name: 'mirror' }],
      extraVolumes: [{ name: 'certificates', configMap: { name: 'certificates' } }],
      extraVolumeMounts: [{ name: 'certificates', mountPath: '/etc/certificates', readOnly: true }],
      extraEnv: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/etc/certificates/ca.crt' }],
      replicas: 2,
      networkPolicy: { enabled: true },
    },
    options: { apiVersions: ['monitoring.coreos.com/v1'] },
    wantKinds: {
      ...always,
      ClusterRole: 5,
      ClusterRoleBinding: 3,
      Role: 2,
      RoleBinding: 2,
      ServiceMonitor: 1,
      PodDisruptionBudget: 2,
      NetworkPolicy: 2,
    },
  },
  {
    name: 'OpenShift',
    values: {},
    options: { apiVersions: ['security.openshift.io/v1'] },
    wantKinds: { ...always, ClusterRole: 5, ClusterRoleBinding: 3, Role: 2, RoleBinding: 2 },
  },
  {
    name: 'maps removed by null',
    values: {
      commonLabels: null,
      podLabels: null,
      podAnnotations: null,
      podSecurityContext: { runAsNonRoot: true },
      resources: null,
      affinity: null,
      workloads: { podSecurityContext: { runAsUser: null, runAsGroup: null, fsGroup: 5000 } },
    },
    wantKinds: { ...always, ClusterRole: 5, ClusterRoleBinding: 3, Role: 2, RoleBinding: 2 },
  },
  {
    name: 'roles and account from elsewhere, one pod without a lease',
    values: {
      rbac: { create: false },
      serviceAccount: { create: false, name: 'mine' },
      leaderElection: { enabled: false },
    },
    wantKinds: { ...always, ServiceAccount: 1, ClusterRole: 2 },
  },
];
