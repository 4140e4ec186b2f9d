/** The HTTPRoute or Ingress that leads to a service from outside the cluster. */
import type { SparseInferenceService } from '../api/types';
import { httpRoutes, type HttpRoute } from '../kube/gateway-api';
import { serviceName } from '../kube/names';
import { ingresses, type Ingress } from '../kube/resources';
import { defined } from '../runtime/defined';
import { childMetadata } from './child-metadata';
import type { ChildKind } from './children';
import { SERVICE_PORT } from './service';

export const routeKind: ChildKind<HttpRoute> = {
  resource: httpRoutes,
  field: 'spec.expose.httpRoute',
  nameOf: serviceName,
  build: ({ service }) => buildRoute(service),
  whenMissing:
    'install the CustomResourceDefinitions of the Gateway API and a controller for them, or write spec.expose.ingress',
};

export const ingressKind: ChildKind<Ingress> = {
  resource: ingresses,
  field: 'spec.expose.ingress',
  nameOf: serviceName,
  build: ({ service }) => buildIngress(service),
};

/** Time-outs only where they are asked for: some controllers refuse a route that has any. */
export function buildRoute(service: SparseInferenceService): HttpRoute | undefined {
  const asked = service.spec.expose?.httpRoute;
  if (asked === undefined) return undefined;
  const { parentRefs, hostnames, timeouts } = asked;
  const backendRefs = [{ name: serviceName(service.metadata.name), port: SERVICE_PORT }];
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: childMetadata(service, serviceName(service.metadata.name)),
    spec: {
      parentRefs,
      ...defined({ hostnames }),
      rules: [{ backendRefs, ...defined({ timeouts }) }],
    },
  };
}

export function buildIngress(service: SparseInferenceService): Ingress | undefined {
  const asked = service.spec.expose?.ingress;
  if (asked === undefined) return undefined;
  const { className: ingressClassName, host, tls, annotations } = asked;
  const backend = { service: { name: serviceName(service.metadata.name), port: { number: SERVICE_PORT } } };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { ...childMetadata(service, serviceName(service.metadata.name)), ...defined({ annotations }) },
    spec: {
      ...defined({ ingressClassName }),
      rules: [{ host, http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }],
      ...(tls === undefined ? {} : { tls: [{ hosts: [host], ...tls }] }),
    },
  };
}
