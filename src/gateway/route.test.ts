import { describe, expect, it } from 'vitest';
import type { SparseInferenceService } from '../api/types';
import type { Pod } from '../kube/resources';
import { routedPod, routeOf } from './route';

const service = (status: object = {}): SparseInferenceService => ({
  apiVersion: 'sparsedm.io/v1alpha1',
  kind: 'SparseInferenceService',
  metadata: { name: 'shirts', namespace: 'ml', uid: 's' },
  spec: { model: {} },
  status: { traffic: { mode: 'Gateway', gatewayPort: 20_001 }, ...status },
});

function pod(uid: string, { ip = '10.0.0.1', ready = 'True', phase = 'Running', deleted = false } = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: uid,
      namespace: 'ml',
      uid,
      labels: { 'sparsedm.io/service': 'shirts', 'sparsedm.io/revision': 'r1', other: 'x' },
      ...(deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    status: { phase, ...(ip === '' ? {} : { podIP: ip }), conditions: [{ type: 'Ready', status: ready }] },
  };
}

describe('routeOf', () => {
  it('is nothing while the service has no port', () => {
    expect(routeOf(service({ traffic: {} }), [])).toBeUndefined();
  });

  it('leads to the ready pods, and keeps the others that live', () => {
    const all = [
      pod('ready'),
      pod('six', { ip: 'fd00::1' }),
      pod('starting', { ready: 'False' }),
      pod('unready', { ready: 'False', deleted: true }),
      pod('waiting', { ready: 'False', ip: '' }),
      pod('ending', { deleted: true }),
      pod('over', { phase: 'Failed' }),
      pod('nowhere', { ip: '' }),
    ];
    const route = routeOf(service(), all.map(routedPod))!;
    expect(route.replicas).toEqual([
      { uid: 'ready', origin: 'http://10.0.0.1:8080', revision: 'r1' },
      { uid: 'six', origin: 'http://[fd00::1]:8080', revision: 'r1' },
    ]);
    expect(route.starting.map(({ uid }) => uid)).toEqual(['starting']);
    expect([...route.alive]).toEqual([
      ...['ready', 'six', 'starting', 'unready', 'waiting', 'ending', 'nowhere'],
    ]);
    expect(route).toMatchObject({ port: 20_001, isDirect: false, wakeSeconds: undefined });
  });

  it('reads what the operator says', () => {
    const canary = { revision: 'r2', weightPercent: 10 };
    const traffic = { mode: 'Direct', gatewayPort: 20_001, wakeSeconds: '4.5', canary };
    const conditions = [{ type: 'DeploymentReady', status: 'False', message: 'No GPU is free.' }];
    expect(routeOf(service({ traffic, conditions }), [])).toMatchObject({
      ...{ isDirect: true, wakeSeconds: 4.5, canary, reason: 'No GPU is free.' },
    });
  });
});

it('keeps of a pod only what it reads', () => {
  const kept = routedPod({ ...pod('a'), spec: { containers: [{ name: 'server' }] } });
  expect(kept.spec).toBeUndefined();
  expect(kept.metadata.labels).toEqual({ 'sparsedm.io/service': 'shirts', 'sparsedm.io/revision': 'r1' });
});
