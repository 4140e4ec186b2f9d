import { describe, expect, it } from 'vitest';
import { aDeployment, aService, rolledOut } from '../../test/support/inference';
import { settings } from '../../test/support/inference';
import type { SparseInferenceServiceSpec } from '../api/types';
import { cachedPod } from '../kube/cached';
import { findCondition } from '../kube/conditions';
import type { Deployment, Pod } from '../kube/resources';
import { REPLACE } from './deployment';
import { plan } from './plan';
import { readRecord, withRecord } from './record';
import { findUnplaced, hasArrived, isComplete, needsReplacement } from './rollout';
import { buildService } from './service';
import { buildStatus } from './status';
import { MOST_WAIT_MS, PROPAGATION_MS, type TrafficSeen } from './traffic';

const now = new Date('2026-01-01T00:01:00Z');
const longAgo = '2026-01-01T00:00:00Z';
const justNow = '2026-01-01T00:00:59Z';
const gpuTaken = '0/1 nodes are available: 1 Insufficient nvidia.com/gpu.';

type PodSpec = NonNullable<Pod['spec']>;

const needs: PodSpec = {
  nodeSelector: { gpu: 'a100' },
  containers: [
    { name: 'server', resources: { limits: { 'nvidia.com/gpu': '1' }, requests: { memory: '4Gi' } } },
  ],
  volumes: [{ name: 'claim-0', persistentVolumeClaim: { claimName: 'models' } }],
};

function condition(type: string, status: string, message = '', lastTransitionTime = longAgo) {
  return { type, status, reason: 'Unschedulable', message, lastTransitionTime };
}

function aPod(name: string, conditions: object[], spec: PodSpec = needs): Pod {
  const labels = { 'sparsedm.io/service': 'shirts', 'pod-template-hash': name };
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'ml',
      uid: name,
      labels,
      creationTimestamp: `2026-01-01T00:00:0${name.length}Z`,
    },
    spec,
    status: { phase: 'Running', conditions },
  } as unknown as Pod;
  return cachedPod(pod);
}

const old = aPod('a', [condition('Ready', 'True')]);
const waits = (message: string, since = longAgo, spec = needs) =>
  aPod('bb', [condition('PodScheduled', 'False', message, since)], spec);
const inRollout = { ...rolledOut(1), replicas: 2, updatedReplicas: 1 };

function judge(pods: readonly Pod[], attachFailure?: string, status: Deployment['status'] = inRollout) {
  return needsReplacement(findUnplaced(aDeployment(aService(), status), pods), attachFailure, now);
}

const stuck = (since: string) =>
  aPod('bb', [condition('PodScheduled', 'True'), condition('PodReadyToStartContainers', 'False', '', since)]);

describe('a rollout needs the place of an old pod', () => {
  it.each<[string, readonly Pod[], string | undefined]>([
    ['when the last GPU is taken', [old, waits(gpuTaken)], gpuTaken],
    [
      'when a claim lets one pod in',
      [
        old,
        waits(
          '1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.',
        ),
      ],
      '1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.',
    ],
    [
      'when servers keep apart',
      [old, waits("1 node(s) didn't match pod anti-affinity rules.")],
      "1 node(s) didn't match pod anti-affinity rules.",
    ],
    ['not before its time', [old, waits(gpuTaken, justNow)], undefined],
    ['not without an old pod', [waits(gpuTaken)], undefined],
    [
      'not when the old one does not serve',
      [aPod('a', [condition('Ready', 'False')]), waits(gpuTaken)],
      undefined,
    ],
    [
      'not when nodes do not suit',
      [old, waits("1 node(s) didn't match Pod's node affinity/selector.")],
      undefined,
    ],
    [
      'not for a pod that asks for more',
      [
        old,
        waits(gpuTaken, longAgo, {
          ...needs,
          containers: [{ name: 'server', resources: { limits: { 'nvidia.com/gpu': '2' } } }],
        }),
      ],
      undefined,
    ],
    [
      'not for a pod that asks for another kind of node',
      [old, waits(gpuTaken, longAgo, { ...needs, nodeSelector: { gpu: 'h200' } })],
      undefined,
    ],
    [
      'not for a pod that asks for another claim',
      [
        old,
        waits(gpuTaken, longAgo, {
          ...needs,
          volumes: [{ name: 'claim-0', persistentVolumeClaim: { claimName: 'other' } }],
        }),
      ],
      undefined,
    ],
    [
      'also for a pod that asks for less',
      [
        old,
        waits(gpuTaken, longAgo, {
          containers: [{ name: 'server', resources: { requests: { memory: '1Gi' } } }],
        }),
      ],
      gpuTaken,
    ],
    [
      'in the scheduler’s words about a GPU on some nodes, and other reasons on the rest',
      [
        old,
        waits(
          "0/5 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient nvidia.com/gpu, 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/5 nodes are available: 2 No preemption victims found for incoming pod, 3 Preemption is not helpful for scheduling.",
        ),
      ],
      "0/5 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient nvidia.com/gpu, 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/5 nodes are available: 2 No preemption victims found for incoming pod, 3 Preemption is not helpful for scheduling.",
    ],
    [
      'when a node is full of pods',
      [old, waits('0/1 nodes are available: 1 Too many pods.')],
      '0/1 nodes are available: 1 Too many pods.',
    ],
    [
      'when a node has no place for its volume',
      [old, waits('0/1 nodes are available: 1 node(s) exceed max volume count.')],
      '0/1 nodes are available: 1 node(s) exceed max volume count.',
    ],
    [
      'not when its claim is missing',
      [old, waits('0/1 nodes are available: persistentvolumeclaim "models" not found.')],
      undefined,
    ],
    [
      'not when its volume lies elsewhere',
      [old, waits('0/1 nodes are available: 1 node(s) had volume node affinity conflict.')],
      undefined,
    ],
    [
      'with several replicas, when the next pod of a rollout finds no place',
      [
        old,
        aPod('a', [condition('Ready', 'True')]),
        aPod('bb', [condition('Ready', 'True')]),
        waits(gpuTaken),
      ],
      gpuTaken,
    ],
    [
      'not when another pod of the same version finds no place, beside one that serves',
      [aPod('bb', [condition('Ready', 'True')]), waits(gpuTaken)],
      undefined,
    ],
    [
      'not for an old pod that ends already',
      [{ ...old, metadata: { ...old.metadata, deletionTimestamp: longAgo } }, waits(gpuTaken)],
      undefined,
    ],
    ['not while pods start', [old, aPod('bb', [condition('PodScheduled', 'True')])], undefined],
  ])('%s', (_, pods, want) => {
    expect(judge(pods)).toBe(want);
  });

  it('when another node holds the volume, which is said elsewhere', () => {
    expect(judge([old, stuck(longAgo)], 'Multi-Attach error')).toBe('Multi-Attach error');
    expect(judge([old, stuck(longAgo)])).toBeUndefined();
    expect(judge([old, stuck(justNow)], 'Multi-Attach error')).toBeUndefined();
  });

  it('when the quota has no room for a further pod', () => {
    const message = 'pods "x" is forbidden: exceeded quota: gpus, requested: limits.nvidia.com/gpu=1';
    const failed = {
      ...rolledOut(1),
      updatedReplicas: 0,
      conditions: [{ ...condition('ReplicaFailure', 'True', message) }],
    };
    const roomy = aPod('a', [condition('Ready', 'True')], {
      containers: [{ name: 'server' }],
      volumes: needs.volumes!,
    });
    const withClaim = aPod('a', [condition('Ready', 'True')], {
      containers: [{ name: 'server' }],
      volumes: [{ name: 'claim-0', persistentVolumeClaim: { claimName: 'models' } }],
    });
    expect(judge([withClaim], undefined, failed)).toBe(message);
    expect(judge([roomy], undefined, { ...failed, updatedReplicas: 1 })).toBeUndefined();
    const next = aPod('bb', [condition('Ready', 'True')], withClaim.spec);
    expect(judge([withClaim, next], undefined, { ...failed, updatedReplicas: 1 })).toBe(message);
    expect(judge([next], undefined, { ...failed, updatedReplicas: 1 })).toBeUndefined();
    const other = { ...failed, conditions: [condition('ReplicaFailure', 'True', 'denied by policy')] };
    expect(judge([withClaim], undefined, other)).toBeUndefined();
  });
});

describe('what ends the only pod', () => {
  const paths = (changes: Partial<TrafficSeen> = {}): TrafficSeen => ({
    addresses: ['10.0.0.1'],
    trouble: undefined,
    port: 20_000,
    opened: PROPAGATION_MS,
    sliced: undefined,
    hasSlice: false,
    selected: PROPAGATION_MS,
    serves: PROPAGATION_MS,
    wakeSeconds: undefined,
    ...changes,
  });
  const led = paths({ sliced: PROPAGATION_MS, hasSlice: true });
  const noPod = { ...rolledOut(1), readyReplicas: 0, availableReplicas: 0 };
  const recreate = { rollout: { strategy: 'Recreate' as const } };
  const changed = { ...recreate, engine: { steps: 99 } };

  it.each<
    [
      string,
      Partial<SparseInferenceServiceSpec>,
      Deployment['status'],
      TrafficSeen | undefined,
      boolean,
      boolean,
    ]
  >([
    ['waits until the Service leads to the gateway', {}, inRollout, paths(), false, true],
    ['is written when it does', {}, inRollout, led, true, true],
    ['is written when it has waited in vain', {}, inRollout, paths({ awaited: MOST_WAIT_MS }), true, true],
    ['is written where no gateway is known', {}, inRollout, undefined, true, false],
    ['is written where no gateway works', {}, inRollout, paths({ trouble: 'x' }), true, true],
    ['does not wait where another pod serves', { replicas: 2 }, inRollout, paths(), true, false],
    ['waits with Recreate too', changed, rolledOut(1), paths(), false, true],
    ['is written with Recreate when it does', changed, rolledOut(1), led, true, true],
    ['does not wait where no pod serves anyway', changed, noPod, paths(), true, true],
    ['leads to the gateway until the next pod serves', recreate, noPod, led, false, true],
    ['leads to the pods again then', recreate, rolledOut(1), led, false, false],
  ])('%s', (_, spec, status, seen, wantWritten, wantSliced) => {
    const service = aService({ replicas: 1, ...spec });
    const before = aService({ replicas: 1, ...spec, ...(spec.engine && { engine: {} }) });
    const deployment = aDeployment(before, status);
    const pods = [old, waits(gpuTaken)];
    const network = buildService(service);
    const observed = { service, finetune: undefined, deployment, network, pods, paths: seen };
    const planned = plan(observed, settings, now);
    expect(planned.deployment !== undefined).toBe(wantWritten);
    expect(planned.traffic.slice !== undefined).toBe(wantSliced);
  });

  it('says for how long it waits', () => {
    const service = aService({ replicas: 1 });
    const observed = {
      service,
      finetune: undefined,
      deployment: aDeployment(service, inRollout),
      network: buildService(service),
      pods: [old, waits(gpuTaken)],
      paths: paths(),
    };
    const { rollout, traffic, resolution } = plan(observed, settings, now);
    const { conditions } = buildStatus({ ...observed, rollout, traffic }, resolution, settings, now);
    const upToDate = findCondition(conditions, 'UpToDate');
    expect(upToDate?.message).toMatch(/ends when the gateway would hold the requests .* after 60 s even if/);
  });
});

describe('how far a rollout is', () => {
  it.each<[string, Deployment['status'], boolean, boolean]>([
    ['all there', rolledOut(2), true, true],
    ['a replica short', { ...rolledOut(2), availableReplicas: 1 }, false, true],
    ['an old pod left', { ...rolledOut(2), replicas: 3 }, false, false],
    ['nothing available', { ...rolledOut(2), availableReplicas: 0 }, false, false],
    ['not looked at', { ...rolledOut(2), observedGeneration: 0 }, false, false],
  ])('%s', (_, status, wantComplete, wantArrived) => {
    const deployment = aDeployment(aService(), status);
    expect(isComplete(deployment, 2)).toBe(wantComplete);
    expect(hasArrived(deployment)).toBe(wantArrived);
  });
});

describe('the strategy that is written', () => {
  const service = aService({ replicas: 1 });
  const strategyOf = (deployment: Deployment, pods: readonly Pod[]) => {
    const observed = { service, finetune: undefined, deployment, network: buildService(service), pods };
    const written = plan(observed, settings, now).deployment;
    return written && [written.spec?.strategy?.rollingUpdate?.maxSurge, readRecord(written)?.strategy];
  };
  const surging = aDeployment(service, inRollout);
  const replacing = (status: Deployment['status']): Deployment => {
    const { spec, ...rest } = aDeployment(service, status);
    return withRecord({ ...rest, spec: { ...spec!, strategy: REPLACE } });
  };

  it('is Recreate where the spec says so, whatever there is no place for', () => {
    const recreate = aService({ replicas: 1, rollout: { strategy: 'Recreate' } });
    const strategyFor = (deployment: Deployment, pods: readonly Pod[]) => {
      const network = buildService(recreate);
      const observed = { service: recreate, finetune: undefined, deployment, network, pods };
      return plan(observed, settings, now).deployment?.spec?.strategy;
    };
    expect(strategyFor(surging, [])).toEqual({ type: 'Recreate' });
    expect(strategyFor(aDeployment(recreate, inRollout), [old, waits(gpuTaken)])).toBeUndefined();
    expect(strategyOf(aDeployment(recreate, rolledOut(1)), [])).toEqual([
      1,
      { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    ]);
  });

  it.each<[string, Deployment, readonly Pod[], unknown]>([
    ['is the other one when there is no place', surging, [old, waits(gpuTaken)], [0, REPLACE]],
    ['stays while there is time', surging, [old, waits(gpuTaken, justNow)], undefined],
    ['stays until the rollout is over', replacing(inRollout), [old, waits(gpuTaken)], undefined],
    [
      'is the first one again when it is over',
      replacing(rolledOut(1)),
      [],
      [1, { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }],
    ],
  ])('%s', (_, deployment, pods, want) => {
    expect(strategyOf(deployment, pods)).toEqual(want);
  });
});
