import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { aDeployment, aServerPod, aService, rolledOut, settings } from '../../test/support/inference';
import type {
  SparseInferenceService,
  SparseInferenceServiceSpec,
  SparseInferenceServiceStatus,
} from '../api/types';
import { createAutoscaler } from '../autoscale/autoscaler';
import { NO_LOAD } from '../autoscale/load';
import { findCondition } from '../kube/conditions';
import type { Pod } from '../kube/resources';
import { plan, type Observed } from './plan';
import { evaluateScaling, isStopped, mayHaveSeveral, scalingOf, sleeps, type Waking } from './scaling';
import { buildStatus } from './status';
import { transitions } from './transitions';

type GivenScaling = NonNullable<SparseInferenceServiceSpec['scaling']>;

const scaled = (scaling: GivenScaling = { maxReplicas: 5 }, spec: Partial<SparseInferenceServiceSpec> = {}) =>
  aService({ replicas: 1, scaling, ...spec });

describe('spec.scaling', () => {
  it.each<[string, SparseInferenceService]>([
    ['no scaling', aService()],
    ['engine none', scaled({ engine: 'none', maxReplicas: 5 })],
    ['replicas 0', scaled({ maxReplicas: 5 }, { replicas: 0 })],
    ['engine keda', scaled({ engine: 'keda', maxReplicas: 5 })],
  ])('leaves the number to spec.replicas with %s', (_, service) => {
    expect(scalingOf(service)).toBe(undefined);
  });

  it.each<[GivenScaling, object]>([
    [
      { maxReplicas: 5 },
      {
        minReplicas: 1,
        target: { figure: 'denoisingSeconds', value: 2 },
        scaleDownStabilizationSeconds: 300,
        panicPercent: 200,
      },
    ],
    [
      { maxReplicas: 5, minReplicas: 2, target: { concurrency: 4 } },
      { minReplicas: 2, target: { figure: 'concurrency', value: 4 } },
    ],
    [{ maxReplicas: 5, target: { queuedImages: 9 } }, { target: { figure: 'queuedImages', value: 9 } }],
    [
      { maxReplicas: 5, target: { denoisingSeconds: '0.5' } },
      { target: { figure: 'denoisingSeconds', value: 0.5 } },
    ],
    [
      { maxReplicas: 5, scaleDownStabilizationSeconds: 0, panicPercent: 300 },
      { scaleDownStabilizationSeconds: 0, panicPercent: 300 },
    ],
  ])('%j is %j', (given, want) => {
    expect(scalingOf(scaled(given))).toMatchObject(want);
  });
});

function ready(name: string): Pod {
  const pod = aServerPod({ ready: true }, name);
  pod.status!.conditions = [{ type: 'Ready', status: 'True' }];
  return pod;
}

/** An autoscaler, and what a pass over a service with these pods observes and writes. */
function start() {
  const clock = new FakeClock();
  const autoscaler = createAutoscaler({ clock });
  const hear = (pod: string, requests: number) =>
    autoscaler.hear('ml/shirts', 'service-uid', pod, { ...NO_LOAD, requests });
  function pass(service: SparseInferenceService, pods: readonly Pod[], replicas = 1) {
    const live = aDeployment({ ...service, spec: { ...service.spec, replicas } }, rolledOut(replicas));
    const observed: Observed = {
      service,
      finetune: undefined,
      deployment: live,
      network: undefined,
      pods,
      scaling: evaluateScaling(autoscaler, service, live, pods),
    };
    const planned = plan(observed, settings, clock.now());
    const status = buildStatus(observed, planned.resolution, settings, clock.now());
    return { planned, status, active: findCondition(status.conditions, 'ScalingActive') };
  }
  return { clock, hear, pass };
}

const again = (service: SparseInferenceService, status: SparseInferenceServiceStatus) => ({
  ...service,
  status,
});
const target = { maxReplicas: 5, target: { concurrency: 4 } };

describe('the builtin autoscaler', () => {
  it('sets the replicas of the Deployment, and tells why', () => {
    const { hear, pass } = start();
    hear('a', 12);
    const { planned, status, active } = pass(scaled(target), [ready('a')]);
    expect(planned).toMatchObject({ replicas: 3, deployment: undefined });
    expect(status.desiredReplicas).toBe(3);
    expect(active).toMatchObject({ status: 'True', reason: 'LoadMeasured' });
    expect(active?.message).toBe(
      'Scales from 1 to 3 in a burst: 12 requests are in the replicas, with a target of 4 in each. The builtin autoscaler sets the number of pods, 1 to 5; spec.replicas, which kubectl scale writes, is without effect unless it is 0.',
    );
  });

  it('makes a new Deployment with minReplicas', () => {
    const service = scaled({ ...target, minReplicas: 2 });
    const { autoscaler } = { autoscaler: createAutoscaler({ clock: new FakeClock() }) };
    const observed: Observed = {
      service,
      finetune: undefined,
      deployment: undefined,
      network: undefined,
      pods: [],
      scaling: evaluateScaling(autoscaler, service, undefined, []),
    };
    expect(plan(observed, settings, new Date()).deployment?.spec?.replicas).toBe(2);
  });

  it('ignores spec.replicas, and obeys 0', () => {
    const { hear, pass } = start();
    hear('a', 2);
    expect(pass(scaled(target, { replicas: 4 }), [ready('a')]).planned.replicas).toBe(undefined);
    const { planned, active, status } = pass(scaled(target, { replicas: 0 }), [ready('a')]);
    expect(planned.replicas).toBe(0);
    expect(active).toMatchObject({ status: 'False', reason: 'ScaledToZero' });
    expect(findCondition(status.conditions, 'Ready')?.reason).toBe('ScaledToZero');
  });

  it('restores replicas that somebody else wrote', () => {
    const { hear, pass } = start();
    hear('a', 8);
    const service = scaled(target);
    expect(pass(service, [ready('a')]).planned.replicas).toBe(2);
    expect(pass(service, [ready('a')], 5).planned.replicas).toBe(2);
  });

  it('writes the status again only when something changes', () => {
    const { clock, hear, pass } = start();
    hear('a', 4);
    const service = scaled(target);
    const first = pass(service, [ready('a')]).status;
    clock.advance(2000);
    hear('a', 3);
    const second = pass(again(service, first), [ready('a')]).status;
    expect(second).toEqual(first);
    clock.advance(2000);
    hear('a', 30);
    expect(pass(again(service, second), [ready('a')]).status).not.toEqual(second);
  });

  it('writes the condition anew for a new spec', () => {
    const { clock, hear, pass } = start();
    hear('a', 4);
    const service = scaled(target);
    const { status } = pass(service, [ready('a')]);
    clock.advance(2000);
    const changed = { ...scaled({ ...target, maxReplicas: 7 }), status };
    const metadata = { ...changed.metadata, generation: 3 };
    expect(pass({ ...changed, metadata }, [ready('a')]).active?.message).toContain('1 to 7');
  });

  it('lets an operator that starts keep the condition until pods have had time to report', () => {
    const before = start();
    before.hear('a', 12);
    const service = scaled(target);
    const { status } = before.pass(service, [ready('a')]);
    const { clock, pass } = start();
    const restarted = again(service, status);
    const kept = findCondition(status.conditions, 'ScalingActive');
    expect(pass(restarted, [ready('a')], 3).active).toEqual(kept);
    clock.advance(61_000);
    const late = pass(restarted, [ready('a')], 3);
    expect(late.active).toMatchObject({ status: 'False', reason: 'NoReports' });
    expect(late.active?.message).toContain('the number of replicas stays 3');
    expect(transitions(restarted, late.status)).toContainEqual(
      expect.objectContaining({ type: 'Warning', reason: 'NoReports' }),
    );
  });

  it('waits without a word of trouble for pods that load', () => {
    const { clock, pass } = start();
    const service = scaled(target);
    const { status, active } = pass(service, [aServerPod({})]);
    expect(active).toMatchObject({ status: 'Unknown', reason: 'WaitingForReports' });
    clock.advance(600_000);
    expect(pass(again(service, status), [aServerPod({})]).active).toEqual(active);
  });

  it('says that the load needs more than maxReplicas', () => {
    const { clock, hear, pass } = start();
    hear('a', 100);
    const service = scaled(target);
    const { status } = pass(service, [ready('a')]);
    clock.advance(2000);
    hear('a', 100);
    const { active } = pass(again(service, status), [ready('a')], 5);
    expect(active).toMatchObject({ status: 'True', reason: 'AtMaximum' });
  });
});

describe('under KEDA, which may take the last pod', () => {
  const keda = (replicas: number, spec: Partial<SparseInferenceServiceSpec> = {}) =>
    scaled(
      { engine: 'keda', minReplicas: 0, maxReplicas: 5, target: { concurrency: 4 }, idleSeconds: 60 },
      {
        replicas,
        ...spec,
      },
    );
  const ways = { trouble: undefined, maySleep: true };

  function begin() {
    const clock = new FakeClock();
    const autoscaler = createAutoscaler({ clock });
    const report = (pod: string, requests = 0) =>
      autoscaler.hear('ml/shirts', 'service-uid', pod, { ...NO_LOAD, requests });
    const hold = (held: number) =>
      autoscaler.hearDemand('ml/shirts', 'service-uid', { gateway: 'g', held, requests: held });
    const look = (replicas: number, found: number, pods: readonly Pod[], waking: Waking = ways) => {
      const service = keda(replicas);
      const live = aDeployment({ ...service, spec: { ...service.spec, replicas: found } }, rolledOut(found));
      const scaling = evaluateScaling(autoscaler, service, live, pods, waking)!;
      return {
        replicas: scaling.replicas,
        outcome: scaling.evaluation?.decision.outcome,
        sleeps: sleeps(scaling),
      };
    };
    return { clock, report, hold, look };
  }

  it('the number is KEDA’s while it is more than 0', () => {
    const { report, look } = begin();
    report('a', 40);
    expect(look(3, 1, [ready('a')])).toEqual({ replicas: 3, outcome: undefined, sleeps: true });
  });

  it('the last pod stays until the next request will find a gateway', () => {
    const { clock, report, look } = begin();
    report('a');
    look(1, 1, [ready('a')]);
    clock.advance(60_000);
    report('a');
    expect(look(0, 1, [ready('a')], { ...ways, maySleep: false })).toMatchObject({
      replicas: 1,
      outcome: 'fallingAsleep',
    });
    clock.advance(2_000);
    report('a');
    expect(look(0, 1, [ready('a')])).toMatchObject({ replicas: 0, outcome: 'idle' });
    clock.advance(2_000);
    expect(look(0, 0, [])).toMatchObject({ replicas: 0, outcome: 'asleep' });
  });

  it('the last pod stays where a request came that KEDA, looking now and then, has not seen', () => {
    const { clock, report, look } = begin();
    report('a');
    clock.advance(50_000);
    report('a', 0.2);
    clock.advance(10_000);
    report('a');
    expect(look(0, 1, [ready('a')])).toMatchObject({ replicas: 1, outcome: 'steady' });
  });

  it('the first pod starts at once for the requests that wait, and the others when KEDA says so', () => {
    const { clock, hold, look } = begin();
    look(0, 0, []);
    clock.advance(10);
    hold(20);
    expect(look(0, 0, [])).toMatchObject({ replicas: 1, outcome: 'waking' });
    clock.advance(2_000);
    expect(look(0, 1, [aServerPod({}, 'a')])).toMatchObject({ replicas: 1, outcome: 'noReports' });
    expect(look(1, 1, [aServerPod({}, 'a')])).toMatchObject({ replicas: 1, outcome: undefined });
    expect(look(5, 1, [aServerPod({}, 'a')])).toMatchObject({ replicas: 5, outcome: undefined });
  });

  it('a pod serves without a gateway, whatever KEDA writes', () => {
    const { look } = begin();
    expect(look(0, 0, [], { trouble: 'no gateway', maySleep: false })).toMatchObject({
      replicas: 1,
      sleeps: false,
    });
  });

  it('a new service starts with a pod', () => {
    const autoscaler = createAutoscaler({ clock: new FakeClock() });
    for (const replicas of [0, 1]) {
      expect(evaluateScaling(autoscaler, keda(replicas), undefined, [], ways)?.replicas).toBe(1);
    }
  });

  it('0 stops nothing', () => {
    expect(isStopped(keda(0))).toBe(false);
    expect(isStopped(scaled({ engine: 'keda', maxReplicas: 5 }, { replicas: 0 }))).toBe(true);
    expect(mayHaveSeveral(keda(0))).toBe(true);
    expect(mayHaveSeveral(scaled({ maxReplicas: 5 }, { replicas: 0 }))).toBe(false);
  });
});

describe('without it', () => {
  it('the condition names spec.replicas, and that is no trouble', () => {
    const { pass } = start();
    const service = aService({ replicas: 3 });
    const { active, status } = pass(service, [], 3);
    expect(active).toMatchObject({
      status: 'False',
      reason: 'ReplicasGiven',
      message:
        'spec.replicas, 3, sets the number of pods. People and autoscalers change it through the scale subresource.',
    });
    const reasons = transitions(service, status).map(({ reason }) => reason);
    expect(reasons).not.toContain('ReplicasGiven');
  });
});
