/** The NetworkPolicy: who may reach the serving pods, and what they may reach. */
import type { SparseInferenceService, SparseInferenceServiceSpec } from '../api/types';
import { labels, managedBy, serverDeploymentName, serverPort } from '../kube/names';
import { networkPolicies, type NetworkPolicy } from '../kube/resources';
import { childMetadata } from './child-metadata';
import type { ChildKind } from './children';

export type NetworkPolicySettings = {
  /** Namespace of the operator and the gateway. */
  operatorNamespace: string;
  /** Ports of the operator that take reports: of its pods, and of the Service before them. */
  reportsPorts: readonly number[];
};

export function networkPolicyKind(settings: NetworkPolicySettings): ChildKind<NetworkPolicy> {
  return {
    resource: networkPolicies,
    field: 'spec.networkPolicy',
    nameOf: serverDeploymentName,
    build: ({ service }) => buildNetworkPolicy(service, settings),
  };
}

type Peers = NonNullable<NonNullable<SparseInferenceServiceSpec['networkPolicy']>['from']>;

const OWN_NAMESPACE: Peers = [{ podSelector: {} }];
const DNS_PORT = 53;

export function buildNetworkPolicy(
  service: SparseInferenceService,
  settings: NetworkPolicySettings,
): NetworkPolicy | undefined {
  const { metadata, spec } = service;
  if (spec.networkPolicy === undefined) return undefined;
  const { from = OWN_NAMESPACE, to } = spec.networkPolicy;
  const operator = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': settings.operatorNamespace } },
  };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: childMetadata(service, serverDeploymentName(metadata.name)),
    spec: {
      // The canary's pods too, which other labels keep out of the Service.
      podSelector: { matchLabels: { [labels.managedBy]: managedBy, [labels.service]: metadata.name } },
      policyTypes: to === undefined ? ['Ingress'] : ['Ingress', 'Egress'],
      ingress: [{ from: [operator, ...from], ports: [port(serverPort)] }],
      ...(to !== undefined && { egress: egress(to, operator, settings.reportsPorts) }),
    },
  };
}

/** A rule without peers would admit all of them. */
function egress(to: Peers, operator: Peers[number], reportsPorts: readonly number[]) {
  return [
    { ports: [port(DNS_PORT, 'UDP'), port(DNS_PORT)] },
    { to: [operator], ports: reportsPorts.map((number) => port(number)) },
    ...(to.length === 0 ? [] : [{ to }]),
  ];
}

function port(number: number, protocol = 'TCP') {
  return { port: number, protocol };
}
