import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { createAutoscaler, DECIDE_MS, LOOK_AGAIN_MS, type LivePod } from './autoscaler';
import type { ScalingConfig } from './config';
import type { Decision } from './decide';
import { NO_LOAD, type Load } from './load';

const config: ScalingConfig = {
  minReplicas: 1,
  maxReplicas: 5,
  target: { figure: 'concurrency', value: 4 },
  scaleDownStabilizationSeconds: 60,
  idleSeconds: 0,
  panicPercent: 200,
};
const key = 'ml/shirts';

function start() {
  const clock = new FakeClock();
  const decided: [replicas: number, before: number][] = [];
  const onDecision = ({ replicas }: Decision, before: number) => decided.push([replicas, before]);
  const autoscaler = createAutoscaler({ clock, onDecision });
  const pods = (...uids: string[]): LivePod[] => uids.map((uid) => ({ uid, serves: true }));
  return {
    clock,
    autoscaler,
    decided,
    hear: (pod: string, load: Partial<Load>, uid = '1') =>
      autoscaler.hear(key, uid, pod, { ...NO_LOAD, ...load }),
    evaluate: (found: number, live: readonly LivePod[], { uid = '1', scaling = config } = {}) =>
      autoscaler.evaluate(key, uid, scaling, found, live, true),
    hold: (held: number, gateway = 'g') => autoscaler.hearDemand(key, '1', { gateway, held, requests: held }),
    pods,
  };
}

describe('an autoscaler', () => {
  it('decides from the newest report of each live pod', () => {
    const { clock, hear, evaluate, pods } = start();
    hear('a', { requests: 20 });
    hear('gone', { requests: 100 });
    clock.advance(1000);
    hear('a', { requests: 12 });
    expect(evaluate(1, pods('a'))).toMatchObject({ replicas: 3, reports: 'arrive' });
  });

  it('decides at most every two seconds, and says when to look again', () => {
    const { clock, hear, evaluate, pods, decided } = start();
    expect(hear('a', { requests: 4 })).toBe(0);
    evaluate(1, pods('a'));
    clock.advance(500);
    expect(hear('a', { requests: 40 })).toBe(DECIDE_MS - 500);
    expect(evaluate(1, pods('a'))).toMatchObject({ replicas: 1, againMs: LOOK_AGAIN_MS - 500 });
    clock.advance(DECIDE_MS - 500);
    expect(evaluate(1, pods('a')).replicas).toBeGreaterThan(1);
    expect(decided).toHaveLength(2);
  });

  const sleepy = { scaling: { ...config, minReplicas: 0 } };

  it('wakes a service at once, however short the last decision ago was', () => {
    const { clock, evaluate, hold } = start();
    expect(evaluate(0, [], sleepy)).toMatchObject({ replicas: 0, decision: { outcome: 'asleep' } });
    clock.advance(10);
    expect(hold(5)).toBe(0);
    expect(evaluate(0, [], sleepy)).toMatchObject({ replicas: 2, decision: { outcome: 'waking' } });
    // What follows has time.
    clock.advance(100);
    expect(hold(6)).toBe(DECIDE_MS - 100);
    expect(evaluate(2, [], sleepy).replicas).toBe(2);
  });

  it.each<[string, (heard: ReturnType<typeof start>) => unknown]>([
    ['a pod told', ({ hear }) => hear('a', { requests: 1 })],
    ['a gateway told', ({ hold }) => (hold(1), hold(0))],
  ])('counts idleness from the last request that %s, also from before its first decision', (_, request) => {
    const heard = start();
    const { clock, hear, evaluate, pods } = heard;
    const idle = { scaling: { ...config, minReplicas: 0, idleSeconds: 20 } };
    hear('a', {});
    clock.advance(15_000);
    request(heard);
    clock.advance(15_000);
    hear('a', {});
    expect(evaluate(1, pods('a'), idle)).toMatchObject({ replicas: 1, decision: { outcome: 'steady' } });
    heard.autoscaler.rest(key);
    clock.advance(5_000);
    hear('a', {});
    expect(evaluate(1, pods('a'), idle)).toMatchObject({ replicas: 0, decision: { outcome: 'idle' } });
  });

  it('adds up what the gateways tell, and forgets those that are silent', () => {
    const { clock, evaluate, hold, autoscaler } = start();
    hold(4, 'a');
    clock.advance(6_000);
    hold(4, 'b');
    expect(autoscaler.demandOf(key)).toEqual({ held: 8, requests: 8 });
    clock.advance(6_000);
    expect(autoscaler.demandOf(key)).toEqual({ held: 4, requests: 4 });
    expect(evaluate(0, [], sleepy).replicas).toBe(1);
    hold(0, 'b');
    expect(autoscaler.demandOf(key)).toEqual({ held: 0, requests: 0 });
  });

  it('decides at once for another configuration', () => {
    const { hear, evaluate, pods } = start();
    hear('a', { requests: 40 });
    expect(evaluate(1, pods('a')).replicas).toBe(5);
    expect(evaluate(5, pods('a'), { scaling: { ...config, maxReplicas: 2 } }).replicas).toBe(2);
  });

  it('counts from its own last decision, whatever others wrote', () => {
    const { clock, hear, evaluate, pods } = start();
    hear('a', { requests: 8 });
    expect(evaluate(1, pods('a')).replicas).toBe(2);
    clock.advance(DECIDE_MS);
    hear('a', { requests: 8 });
    expect(evaluate(5, pods('a')).replicas).toBe(2);
  });

  it('starts from what is there, and keeps it for a window', () => {
    const { clock, hear, evaluate, pods } = start();
    for (let second = 0; second < 60; second += 2) {
      hear('a', {});
      expect(evaluate(4, pods('a')).replicas).toBe(4);
      clock.advance(DECIDE_MS);
    }
    hear('a', {});
    expect(evaluate(4, pods('a')).replicas).toBe(1);
  });

  it('inherits nothing for a later service of the same name', () => {
    const { hear, evaluate, pods } = start();
    hear('a', { requests: 40 });
    evaluate(1, pods('a'));
    expect(evaluate(2, pods('a'), { uid: '2' })).toMatchObject({ replicas: 2, reports: 'waiting' });
  });

  it('forgets a service, and the reports of its pods', () => {
    const { autoscaler, hear, evaluate, pods } = start();
    hear('a', { requests: 40 });
    evaluate(1, pods('a'));
    autoscaler.forget(key);
    expect([...autoscaler.decisions()]).toEqual([]);
    expect(evaluate(1, pods('a')).replicas).toBe(1);
  });

  it('waits a minute for pods that serve, and for ever for those that load', () => {
    const { clock, evaluate, pods } = start();
    const loading = [{ uid: 'a', serves: false }];
    expect(evaluate(1, loading).reports).toBe('waiting');
    clock.advance(600_000);
    expect(evaluate(1, loading).reports).toBe('waiting');
    expect(evaluate(1, pods('a')).reports).toBe('waiting');
    clock.advance(60_001);
    expect(evaluate(1, pods('a')).reports).toBe('missing');
  });

  it('notices that reports stopped', () => {
    const { clock, hear, evaluate, pods } = start();
    hear('a', { requests: 8 });
    evaluate(2, pods('a'));
    clock.advance(31_000);
    expect(evaluate(2, pods('a'))).toMatchObject({ reports: 'waiting', decision: { outcome: 'noReports' } });
    clock.advance(30_000);
    expect(evaluate(2, pods('a'))).toMatchObject({ replicas: 2, reports: 'missing' });
  });
});
