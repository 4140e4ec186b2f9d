import { describe, expect, it } from 'vitest';
import { aService, condition } from '../../test/support/inference';
import type { SparseInferenceServiceSpec } from '../api/types';
import type { HttpRoute } from '../kube/gateway-api';
import type { Ingress } from '../kube/resources';
import type { Child, ChildKind } from './children';
import { buildIngress, buildRoute, ingressKind, routeKind } from './expose';
import { exposureOf, judgeExposure } from './exposed';

type Parents = NonNullable<NonNullable<HttpRoute['status']>['parents']>;

const edge = { name: 'edge', namespace: 'infra', sectionName: 'https' };
const inner = { name: 'inner' };
const accepted = condition('Accepted', 'True', 'Accepted');
const resolved = condition('ResolvedRefs', 'True', 'ResolvedRefs');

const childOf = (kind: ChildKind, live: Child['live']): Child => ({
  kind,
  name: 'shirts',
  found: live,
  live,
});

function routed(parents: Parents | undefined, parentRefs = [edge, inner]) {
  const expose: SparseInferenceServiceSpec['expose'] = {
    httpRoute: { parentRefs, hostnames: ['a.example.com'] },
  };
  const service = aService({ expose });
  const built = buildRoute(service)!;
  const metadata = { ...built.metadata, generation: 4 };
  const route: HttpRoute = { ...built, metadata, ...(parents && { status: { parents } }) };
  return { service, children: [childOf(routeKind, route)] };
}

function entered(status: Ingress['status'], className?: string) {
  const service = aService({
    expose: { ingress: { host: 'a.example.com', ...(className === undefined ? {} : { className }) } },
  });
  const ingress: Ingress = { ...buildIngress(service)!, ...(status && { status }) };
  return { service, children: [childOf(ingressKind, ingress)] };
}

const by = (
  parentRef: typeof edge | typeof inner,
  ...conditions: Parents[number]['conditions'] & object
) => ({
  parentRef,
  controllerName: 'example.org/c',
  conditions,
});

type Row = [title: string, parents: Parents | undefined, status: string, message: RegExp, hosts: boolean];

const rows: Row[] = [
  ['no controller has told', undefined, 'Unknown', /infra\/edge \(https\), Gateway ml\/inner/, false],
  ['one of two parents has accepted', [by(edge, accepted, resolved)], 'Unknown', /ml\/inner/, true],
  [
    'both have accepted',
    [by(edge, accepted, resolved), by(inner, accepted, resolved)],
    'True',
    /^Accepted: Gateway infra\/edge \(https\), Gateway ml\/inner\.$/,
    true,
  ],
  [
    'one refuses it',
    [by(edge, condition('Accepted', 'False', 'NotAllowed', 'not you')), by(inner, accepted)],
    'False',
    /^Gateway infra\/edge \(https\): not you$/,
    true,
  ],
  [
    'a reference leads nowhere',
    [by(edge, accepted, condition('ResolvedRefs', 'False', 'BackendNotFound', 'no such Service'))],
    'False',
    /no such Service/,
    false,
  ],
  [
    'the answer is about an earlier spec',
    [by(edge, { ...condition('Accepted', 'False', 'Old'), observedGeneration: 3 })],
    'Unknown',
    /infra\/edge/,
    false,
  ],
  [
    'the answer is about another listener',
    [by({ ...edge, sectionName: 'http' }, accepted), by(inner, accepted)],
    'Unknown',
    /edge \(https\)/,
    true,
  ],
];

describe('exposure by an HTTPRoute, where', () => {
  it.each(rows)('%s', (_, parents, status, message, hosts) => {
    const seen = routed(parents);
    expect(judgeExposure(seen)?.status).toBe(status);
    expect(judgeExposure(seen)?.message).toMatch(message);
    expect(exposureOf(seen)).toEqual(hosts ? { externalHosts: ['a.example.com'] } : {});
  });

  it('is not there yet', () => {
    const { service } = routed(undefined);
    expect(judgeExposure({ service, children: [childOf(routeKind, undefined)] })?.status).toBe('Unknown');
  });

  it('was refused by the API server', () => {
    const { service } = routed(undefined);
    const trouble = { reason: 'Invalid', message: 'wrong', final: true };
    const children = [{ ...childOf(routeKind, undefined), trouble }];
    expect(judgeExposure({ service, children })).toEqual({
      status: 'False',
      reason: 'Invalid',
      message: 'wrong',
    });
  });
});

describe('exposure by an Ingress', () => {
  it('is unknown without an address, and asks after the class', () => {
    expect(judgeExposure(entered(undefined, 'edge'))).toMatchObject({ status: 'Unknown' });
    expect(judgeExposure(entered(undefined, 'edge'))?.message).toContain('list the class edge');
    expect(judgeExposure(entered(undefined))?.message).toContain('the default');
    expect(exposureOf(entered(undefined))).toEqual({});
  });

  it('names the addresses that its controller gave', () => {
    const seen = entered({
      loadBalancer: { ingress: [{ ip: '192.0.2.1' }, { hostname: 'lb.example.com' }] },
    });
    expect(judgeExposure(seen)?.message).toBe('Requests are taken at 192.0.2.1, lb.example.com.');
    expect(exposureOf(seen)).toEqual({
      externalHosts: ['a.example.com'],
      externalAddresses: ['192.0.2.1', 'lb.example.com'],
    });
  });
});

it('is no matter of a service inside the cluster', () => {
  expect(judgeExposure({ service: aService() })).toBeUndefined();
  expect(exposureOf({ service: aService() })).toEqual({});
});
