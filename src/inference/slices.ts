/** The EndpointSlices that lead a service's requests to the gateways: one for each address family of its Service. */
import { isIPv6 } from 'node:net';
import { childName, serverLabels, serviceName } from '../kube/names';
import { ownerReference } from '../kube/owner';
import { endpointSlices, type EndpointSlice } from '../kube/resources';
import type { Child, ChildContext, ChildKind } from './children';
import type { TrafficContext } from './traffic';

type Family = 'IPv4' | 'IPv6';

/** Whose slices these are: Kubernetes' own controllers leave them alone. */
export const SLICE_MANAGER = 'sparsedm.io';

function sliceKind(family: Family): ChildKind<EndpointSlice> {
  const nameOf = (name: string) => childName(name, `-gateway-${family.toLowerCase()}`);
  return {
    resource: endpointSlices,
    field: 'status.traffic',
    isPassing: true,
    nameOf,
    build(context) {
      const slice = context.traffic?.slice;
      if (slice === undefined || !familiesOf(context).includes(family)) return undefined;
      return buildSlice(context, nameOf(context.service.metadata.name), family, slice);
    },
  };
}

export const sliceKinds: readonly ChildKind[] = [sliceKind('IPv4'), sliceKind('IPv6')];

function familiesOf({ network }: ChildContext): readonly string[] {
  return network?.spec?.ipFamilies ?? ['IPv4'];
}

function buildSlice(
  { service }: ChildContext,
  name: string,
  addressType: Family,
  { port, addresses }: { port: number; addresses: readonly string[] },
): EndpointSlice {
  const { namespace = '' } = service.metadata;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace,
      labels: {
        ...serverLabels(service.metadata.name),
        'kubernetes.io/service-name': serviceName(service.metadata.name),
        'endpointslice.kubernetes.io/managed-by': SLICE_MANAGER,
      },
      ownerReferences: [ownerReference(service)],
    },
    addressType,
    endpoints: addresses
      .filter((address) => isIPv6(address) === (addressType === 'IPv6'))
      .map((address) => ({
        addresses: [address],
        conditions: { ready: true, serving: true, terminating: false },
      })),
    ports: [{ name: 'http', port, protocol: 'TCP' }],
  };
}

/** What the slices that are there lead to. */
export function slicesOf(children: readonly Child[]): TrafficContext['slices'] {
  return children
    .filter(({ kind, found }) => kind.resource === endpointSlices && found !== undefined)
    .map(({ found }) => found as EndpointSlice)
    .map(({ endpoints, ports }) => ({ port: ports?.[0]?.port, endpoints: endpoints?.length ?? 0 }));
}
