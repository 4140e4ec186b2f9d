/**
 * Routes, Ingresses and policies of services against the real API server; the tests report in the place of the
 * controllers of Gateways and Ingresses.
 */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sparseInferenceServices, type SparseInferenceService } from '../../src/api/types';
import { httpRoutes, type HttpRoute } from '../../src/kube/gateway-api';
import { ownerReference } from '../../src/kube/owner';
import { ingresses, networkPolicies } from '../../src/kube/resources';
import { type KubeObject, type Resource } from '../../src/runtime/objects';
import { installHttpRoutes } from './gateway-api';
import { eventually, waitForObject, type ApiServer } from './harness';
import { conditionOf, writesOf, writeStatus, useOperator, mergeSpec } from './operator';
import { service, type Changes } from './specs';

let server: ApiServer;
const userAgent = `sparsedm-operator/${randomBytes(4).toString('hex')}`;

useOperator({ userAgent }, (opened) => (server = opened));

const keyOf = (name: string) => ({ namespace: server.namespace, name });

function create(name: string, spec: Changes): Promise<SparseInferenceService> {
  return server.client.create(sparseInferenceServices, service(name, server.namespace, spec), {
    fieldManager: 'test',
  });
}

const patchSpec = (name: string, spec: Changes) => mergeSpec(server, sparseInferenceServices, name, spec);

const serviceWhere = (name: string, meets: (one: SparseInferenceService) => boolean, timeoutMs = 20_000) =>
  waitForObject(server, sparseInferenceServices, keyOf(name), meets, timeoutMs);

const isExposed = (status: string, reason: string) => (one: SparseInferenceService) => {
  const found = conditionOf(one, 'Exposed');
  return found?.status === status && found.reason === reason;
};

const find = <T extends KubeObject>(resource: Resource<T>, name: string) =>
  eventually(async () => (await server.client.get(resource, keyOf(name))) ?? false);

const isGone = (resource: Resource, name: string) =>
  eventually(async () => (await server.client.get(resource, keyOf(name))) === undefined);

/** As the Gateway's controller does. */
async function answer(name: string, Accepted: object, ResolvedRefs: object = { status: 'True' }) {
  const route = await find(httpRoutes, name);
  const conditions = Object.entries({ Accepted, ResolvedRefs }).map(([type, verdict]) => ({
    type,
    reason: type,
    message: '',
    observedGeneration: route.metadata.generation,
    lastTransitionTime: '2026-01-01T00:00:00Z',
    ...verdict,
  }));
  await writeStatus<HttpRoute>(server, httpRoutes, route, {
    parents: [{ parentRef: route.spec?.parentRefs?.[0], controllerName: 'example.org/gateway', conditions }],
  });
}

const parentRefs = [{ name: 'edge', namespace: 'infra' }];

describe('an HTTPRoute', () => {
  it(
    'is missed where the cluster has no Gateway API, and made once it has',
    { timeout: 120_000 },
    async () => {
      await create('early', { expose: { httpRoute: { parentRefs, hostnames: ['early.example.com'] } } });
      const missing = await serviceWhere('early', isExposed('False', 'KindMissing'));
      expect(conditionOf(missing, 'Exposed')?.message).toContain('or write spec.expose.ingress');
      await installHttpRoutes(server.transport);
      await serviceWhere('early', isExposed('Unknown', 'WaitingForController'), 90_000);
      await find(httpRoutes, 'early');
      // Nothing was asked of a kind that is not there, except whether it is.
      expect(
        (await writesOf(userAgent, server.namespace)).filter((line) => line.includes('httproutes')),
      ).toEqual(['patch httproutes/ early']);
    },
  );

  it('tells what its controller says, and goes with spec.expose', async () => {
    const made = await create('routed', {
      expose: {
        httpRoute: { parentRefs, hostnames: ['images.example.com'], timeouts: { request: '600s' } },
      },
    });
    const route = await find(httpRoutes, 'routed');
    expect(route.metadata.ownerReferences).toEqual([ownerReference(made)]);
    expect(route.spec).toMatchObject({
      hostnames: ['images.example.com'],
      rules: [
        { backendRefs: [{ kind: 'Service', name: 'routed', port: 80 }], timeouts: { request: '600s' } },
      ],
    });
    const waiting = await serviceWhere('routed', isExposed('Unknown', 'WaitingForController'));
    expect(waiting.status?.externalHosts).toBeUndefined();

    await answer('routed', { status: 'False', reason: 'NotAllowedByListeners', message: 'not for you' });
    const refused = await serviceWhere('routed', isExposed('False', 'NotAllowedByListeners'));
    expect(conditionOf(refused, 'Exposed')?.message).toBe('Gateway infra/edge: not for you');

    await answer('routed', { status: 'True' });
    const accepted = await serviceWhere('routed', isExposed('True', 'Accepted'));
    expect(accepted.status?.externalHosts).toEqual(['images.example.com']);

    await patchSpec('routed', { expose: null });
    await isGone(httpRoutes, 'routed');
    const internal = await serviceWhere('routed', (one) => conditionOf(one, 'Exposed') === undefined);
    expect(internal.status?.externalHosts).toBeUndefined();
    expect(conditionOf(internal, 'ChildrenReady')).toBeUndefined();
  });

  it('that the API server refuses is told in its words', async () => {
    await create('refused', {
      expose: { httpRoute: { parentRefs, timeouts: { request: '1s', backendRequest: '2s' } } },
    });
    const refused = await serviceWhere('refused', isExposed('False', 'Invalid'));
    const message = conditionOf(refused, 'Exposed')?.message;
    expect(message).toContain('refuses the HTTPRoute refused, which spec.expose.httpRoute asks for');
    expect(message).toContain('backendRequest timeout cannot be longer than request timeout');
    await patchSpec('refused', { expose: { httpRoute: { timeouts: { backendRequest: '1s' } } } });
    await serviceWhere('refused', isExposed('Unknown', 'WaitingForController'));
  });

  it('gives way to an Ingress', async () => {
    await create('moved', { expose: { httpRoute: { parentRefs } } });
    await find(httpRoutes, 'moved');
    await patchSpec('moved', { expose: { httpRoute: null, ingress: { host: 'moved.example.com' } } });
    await find(ingresses, 'moved');
    await isGone(httpRoutes, 'moved');
  });
});

describe('an Ingress', () => {
  it('leads its host to the service, and its address comes up', async () => {
    const made = await create('entered', {
      expose: {
        ingress: {
          className: 'edge',
          host: 'entered.example.com',
          tls: { secretName: 'certificate' },
          annotations: { 'example.org/read-timeout': '600' },
        },
      },
    });
    const ingress = await find(ingresses, 'entered');
    expect(ingress.metadata.ownerReferences).toEqual([ownerReference(made)]);
    expect(ingress.metadata.annotations).toMatchObject({ 'example.org/read-timeout': '600' });
    expect(ingress.spec).toMatchObject({
      ingressClassName: 'edge',
      tls: [{ hosts: ['entered.example.com'], secretName: 'certificate' }],
    });
    await serviceWhere('entered', isExposed('Unknown', 'WaitingForController'));
    await writeStatus(server, ingresses, ingress, { loadBalancer: { ingress: [{ ip: '192.0.2.7' }] } });
    const { status } = await serviceWhere('entered', isExposed('True', 'Accepted'));
    expect(status).toMatchObject({
      externalHosts: ['entered.example.com'],
      externalAddresses: ['192.0.2.7'],
    });

    await patchSpec('entered', { expose: { ingress: { annotations: null } } });
    await waitForObject(
      server,
      ingresses,
      keyOf('entered'),
      ({ metadata }) => metadata.annotations?.['example.org/read-timeout'] === undefined,
    );
  });
});

describe('a NetworkPolicy', () => {
  it('is stored as it was built, and goes when it is no longer asked for', async () => {
    const made = await create('guarded', {
      networkPolicy: {
        from: [{ namespaceSelector: { matchLabels: { team: 'a' } } }, { ipBlock: { cidr: '10.0.0.0/8' } }],
        to: [],
      },
    });
    const policy = await find(networkPolicies, 'guarded-server');
    expect(policy.metadata.ownerReferences).toEqual([ownerReference(made)]);
    expect(policy.spec?.policyTypes).toEqual(['Ingress', 'Egress']);
    expect(policy.spec?.ingress?.[0]?.from).toHaveLength(3);
    await patchSpec('guarded', { networkPolicy: null });
    await isGone(networkPolicies, 'guarded-server');
  });
});

describe('all of them together', () => {
  it('are not written again by later passes', async () => {
    await create('steady', {
      replicas: 2,
      expose: { httpRoute: { parentRefs, hostnames: ['steady.example.com'] } },
      networkPolicy: {},
    });
    await serviceWhere('steady', isExposed('Unknown', 'WaitingForController'));
    // Each answer of the controller starts a pass over all of them.
    await answer('steady', { status: 'True' });
    await serviceWhere('steady', isExposed('True', 'Accepted'));
    await answer('steady', { status: 'False', reason: 'NoMatchingParent', message: 'gone' });
    await serviceWhere('steady', isExposed('False', 'NoMatchingParent'));
    const children = ['httproutes', 'networkpolicies', 'poddisruptionbudgets'];
    const writes = (await writesOf(userAgent, server.namespace)).filter(
      (line) => line.includes('steady') && children.some((child) => line.includes(child)),
    );
    expect(writes.sort()).toEqual([
      'patch httproutes/ steady',
      'patch networkpolicies/ steady-server',
      'patch poddisruptionbudgets/ steady-server',
    ]);
  });
});
