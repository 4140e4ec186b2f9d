/** What the status says about the way to a service from outside: the words of whoever runs the route. */
import { REASONS } from '../api/conditions';
import type { SparseInferenceService, SparseInferenceServiceStatus } from '../api/types';
import { no, unknown, yes, type Verdict } from '../api/verdict';
import { findCondition, type Condition } from '../kube/conditions';
import { httpRoutes, type HttpRoute, type ParentRef } from '../kube/gateway-api';
import { ingresses, type Ingress } from '../kube/resources';
import { childOf, troubleOf, type Child } from './children';

type Seen = { service: SparseInferenceService; children?: readonly Child[] | undefined };

/** Undefined without spec.expose. */
export function judgeExposure({ service, children }: Seen): Verdict | undefined {
  const { expose } = service.spec;
  if (expose === undefined) return undefined;
  const resource = expose.httpRoute === undefined ? ingresses : httpRoutes;
  const trouble = troubleOf(children, resource);
  if (trouble !== undefined) return no(trouble.reason, trouble.message);
  const route = childOf(children, httpRoutes);
  if (route !== undefined) return judgeRoute(route);
  const ingress = childOf(children, ingresses);
  if (ingress !== undefined) return judgeIngress(ingress);
  return unknown(REASONS.updating, `The ${resource.kind} is not there yet.`);
}

/** The hosts and addresses that lead to the service; none before a controller has taken the object. */
export function exposureOf({ children }: Seen): Exposure {
  const route = childOf(children, httpRoutes);
  if (route !== undefined) return routeExposure(route);
  const ingress = childOf(children, ingresses);
  return ingress === undefined ? {} : ingressExposure(ingress);
}

type Exposure = Pick<SparseInferenceServiceStatus, 'externalHosts' | 'externalAddresses'>;

function routeExposure(route: HttpRoute): Exposure {
  const hosts = route.spec?.hostnames ?? [];
  const accepted = parentsOf(route).some(({ state }) => state === 'accepted');
  return accepted && hosts.length > 0 ? { externalHosts: hosts } : {};
}

function ingressExposure(ingress: Ingress): Exposure {
  const addresses = addressesOf(ingress);
  if (addresses.length === 0) return {};
  const hosts = (ingress.spec?.rules ?? []).flatMap(({ host }) => host ?? []);
  return { externalHosts: hosts, externalAddresses: addresses.slice(0, MOST_ADDRESSES) };
}

/** The schema's bound. */
const MOST_ADDRESSES = 16;

type Parent = { name: string; state: 'accepted' | 'refused' | 'waiting'; reason: string; message: string };

function judgeRoute(route: HttpRoute): Verdict {
  const parents = parentsOf(route);
  const refused = parents.filter(({ state }) => state === 'refused');
  const [first] = refused;
  if (first !== undefined) {
    return no(first.reason, refused.map(({ name, message }) => `${name}: ${message}`).join(' '));
  }
  const waiting = parents.filter(({ state }) => state === 'waiting').map(({ name }) => name);
  if (waiting.length > 0) {
    const message = `No controller has told yet whether it takes the HTTPRoute ${route.metadata.name} for ${waiting.join(', ')}: does this Gateway exist, and does its GatewayClass have a controller that runs?`;
    return unknown(REASONS.waitingForController, message);
  }
  return yes(REASONS.accepted, `Accepted: ${parents.map(({ name }) => name).join(', ')}.`);
}

function parentsOf({ metadata, spec, status }: HttpRoute): Parent[] {
  const { namespace = '', generation = 0 } = metadata;
  const reported = status?.parents ?? [];
  return (spec?.parentRefs ?? []).map((parent) => {
    const of = reported.filter(({ parentRef }) => sameParent(parentRef, parent, namespace));
    const conditions = of.flatMap((one) => one.conditions ?? []).filter(isOf(generation));
    return { name: nameOf(parent, namespace), ...stateOf(conditions) };
  });
}

/** Those of an earlier spec say nothing about this one. */
const isOf =
  (generation: number) =>
  ({ observedGeneration }: Condition): boolean =>
    observedGeneration === undefined || observedGeneration >= generation;

/** The types of an HTTPRoute's conditions that the Gateway API makes every controller report. */
const REPORTED = ['Accepted', 'ResolvedRefs'];

function stateOf(conditions: readonly Condition[]): Omit<Parent, 'name'> {
  const wrong = conditions.find(({ type, status }) => REPORTED.includes(type) && status === 'False');
  if (wrong !== undefined) {
    return { state: 'refused', reason: wrong.reason, message: wrong.message || wrong.reason };
  }
  const accepted = findCondition(conditions, 'Accepted')?.status === 'True';
  return { state: accepted ? 'accepted' : 'waiting', reason: '', message: '' };
}

function sameParent(one: ParentRef, other: ParentRef, namespace: string): boolean {
  const identity = ({ name, namespace: given = namespace, sectionName = '', port = 0 }: ParentRef) =>
    [given, name, sectionName, port].join('/');
  return identity(one) === identity(other);
}

function nameOf({ name, namespace: given, sectionName, port }: ParentRef, namespace: string): string {
  const listener = [sectionName, port].filter((part) => part !== undefined).join(', ');
  return `Gateway ${given ?? namespace}/${name}${listener === '' ? '' : ` (${listener})`}`;
}

/** An Ingress has no conditions; a controller that takes it writes its address into the status. */
function judgeIngress(ingress: Ingress): Verdict {
  const addresses = addressesOf(ingress);
  if (addresses.length > 0) return yes(REASONS.accepted, `Requests are taken at ${addresses.join(', ')}.`);
  const { ingressClassName } = ingress.spec ?? {};
  const about =
    ingressClassName === undefined
      ? 'is one of the classes that kubectl get ingressclass lists the default? Otherwise write spec.expose.ingress.className.'
      : `does kubectl get ingressclass list the class ${ingressClassName}, and does its controller run? Some controllers write no address; then ask for the host itself.`;
  const message = `No controller has given the Ingress ${ingress.metadata.name} an address yet: ${about}`;
  return unknown(REASONS.waitingForController, message);
}

function addressesOf({ status }: Ingress): string[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ hostname, ip }) => hostname ?? ip ?? []);
}
