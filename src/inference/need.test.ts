import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { aServerPod, aService } from '../../test/support/inference';
import { createAutoscaler } from '../autoscale/autoscaler';
import { NO_LOAD } from '../autoscale/load';
import { ObjectStore } from '../runtime/cache/store';
import type { SparseInferenceService } from '../api/types';
import type { ConfigMap, Pod } from '../kube/resources';
import { buildToken } from './keda';
import { createNeedFigure } from './need';

const key = { namespace: 'ml', name: 'shirts' };
const token = 'x'.repeat(32);
const loading = aServerPod({}, 'a');
const serving: Pod = { ...loading, status: { conditions: [{ type: 'Ready', status: 'True' }] } };

/** A service with a target of 4 requests, whose number KEDA has set. */
function start(replicas: number, engine: 'keda' | 'builtin' = 'keda') {
  const clock = new FakeClock();
  const autoscaler = createAutoscaler({ clock });
  const service = aService({
    replicas,
    scaling: { engine, minReplicas: 0, maxReplicas: 5, target: { concurrency: 4 } },
  });
  const services = new ObjectStore<SparseInferenceService>();
  services.applyEvent(service);
  const tokens = new ObjectStore<ConfigMap>();
  const made = buildToken(service, token);
  if (made !== undefined) tokens.applyEvent({ ...made, metadata: { ...made.metadata, uid: 'token-uid' } });
  const seen = { pods: [] as Pod[], held: 0 };
  const figure = createNeedFigure({
    services,
    tokens,
    podsOf: () => seen.pods,
    autoscaler,
    heldOf: () => seen.held,
    isLeader: () => true,
  });
  const report = (requests: number) => {
    autoscaler.hear('ml/shirts', 'service-uid', loading.metadata.uid!, { ...NO_LOAD, requests });
  };
  return { clock, seen, report, figure, read: () => figure.read(key) };
}

describe('the number for KEDA', () => {
  it('is the load that pods report', () => {
    const { seen, report, read } = start(1);
    seen.pods = [serving];
    report(7);
    expect(read()).toEqual({ value: 7 });
    report(0);
    expect(read()).toEqual({ value: 0 });
  });

  it('is 0 while the service sleeps, and what gateways hold once they do', () => {
    const { seen, read } = start(0);
    expect(read()).toEqual({ value: 0 });
    seen.held = 6;
    expect(read()).toEqual({ value: 6 });
  });

  it.each<[string, Pod[]]>([
    ['there is no pod yet', []],
    ['pods load', [loading]],
  ])('asks for as many pods as KEDA has set while %s, however long', (_, pods) => {
    const { clock, seen, read } = start(3);
    seen.pods = pods;
    expect(read()).toEqual({ value: 12 });
    clock.advance(3_600_000);
    expect(read()).toEqual({ value: 12 });
  });

  it('is not known once pods have served for a minute without a report, and known again with one', () => {
    const { clock, seen, report, read } = start(1);
    seen.pods = [serving];
    expect(read()).toEqual({ value: 4 });
    clock.advance(60_001);
    expect(read()).toEqual({
      unknown: 'The load of ml/shirts is not known: none of its pods (1) has reported in the last 30 s.',
    });
    report(2);
    expect(read()).toEqual({ value: 2 });
    clock.advance(60_001);
    expect(read()).toHaveProperty('unknown');
  });

  it('is for whoever has the service’s token, under KEDA alone', () => {
    const { figure } = start(1);
    expect(figure.mayRead(key, token)).toBe(true);
    expect(figure.mayRead(key, 'y'.repeat(32))).toBe(false);
    expect(figure.mayRead({ ...key, name: 'other' }, token)).toBe(false);
    expect(start(1, 'builtin').figure.mayRead(key, token)).toBe(false);
  });
});
