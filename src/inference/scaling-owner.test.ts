import { describe, expect, it } from 'vitest';
import { aService } from '../../test/support/inference';
import type { SparseInferenceServiceSpec } from '../api/types';
import { scaledObjects } from '../kube/keda';
import { horizontalPodAutoscalers } from '../kube/resources';
import type { KubeObject } from '../runtime/objects';
import type { Child } from './children';
import { buildHorizontalPodAutoscaler, hpaKind } from './hpa';
import { buildAuthentication, buildScaledObject, buildToken, kedaKinds } from './keda';
import { scalingOf, type Scaling } from './scaling';
import { judgeScaling } from './scaling-owner';

type Spec = Partial<SparseInferenceServiceSpec>;
const url = 'http://sparsedm-operator.system.svc:8082';
const keda: Spec = { replicas: 2, scaling: { engine: 'keda', maxReplicas: 5, target: { concurrency: 4 } } };
const cpu = {
  type: 'Resource' as const,
  resource: { name: 'cpu' as const, target: { type: 'Utilization' as const, averageUtilization: 70 } },
};
const sleepy: Spec = {
  replicas: 1,
  scaling: { engine: 'keda', minReplicas: 0, maxReplicas: 5, idleSeconds: 60 },
};
const hpa: Spec = { replicas: 2, scaling: { engine: 'hpa', minReplicas: 2, maxReplicas: 5, metrics: [cpu] } };

describe('the ScaledObject', () => {
  it('scales the service itself by the number that the operator gives', () => {
    expect(buildScaledObject(aService(keda), url)?.spec).toEqual({
      scaleTargetRef: { apiVersion: 'sparsedm.io/v1alpha1', kind: 'SparseInferenceService', name: 'shirts' },
      minReplicaCount: 1,
      maxReplicaCount: 5,
      advanced: {
        horizontalPodAutoscalerConfig: { behavior: { scaleDown: { stabilizationWindowSeconds: 300 } } },
      },
      triggers: [
        {
          type: 'metrics-api',
          metricType: 'AverageValue',
          metadata: {
            url: `${url}/v1/services/ml/shirts/need`,
            format: 'json',
            valueLocation: 'value',
            targetValue: '4',
            authMode: 'bearer',
            aggregateFromKubeServiceEndpoints: 'true',
            aggregationType: 'max',
          },
          authenticationRef: { name: 'shirts-scaler' },
        },
      ],
    });
  });

  it('lets KEDA take the last pod after idleSeconds, and look more often', () => {
    expect(buildScaledObject(aService(sleepy), url)?.spec).toMatchObject({
      minReplicaCount: 0,
      maxReplicaCount: 5,
      pollingInterval: 5,
      cooldownPeriod: 60,
      initialCooldownPeriod: 60,
    });
    const { idleSeconds: _, ...scaling } = sleepy.scaling!;
    expect(buildScaledObject(aService({ scaling }), url)?.spec.cooldownPeriod).toBe(300);
  });

  it('asks the URL itself where that is no Service of the cluster', () => {
    const metadata = buildScaledObject(aService(keda), 'http://10.0.0.7:8082')?.spec.triggers[0]?.metadata;
    expect(metadata).not.toHaveProperty('aggregateFromKubeServiceEndpoints');
  });

  it('has a token, which stays as it is while it is one', () => {
    const first = buildToken(aService(keda))?.data?.['token'];
    expect(first).toMatch(/^[\w-]{32}$/);
    expect(buildToken(aService(keda))?.data?.['token']).not.toBe(first);
    expect(buildToken(aService(keda), first)?.data?.['token']).toBe(first);
    expect(buildToken(aService(keda), 'short')?.data?.['token']).toMatch(/^[\w-]{32}$/);
    expect(buildAuthentication(aService(keda))?.spec.configMapTargetRef).toEqual([
      { parameter: 'token', name: 'shirts-scaler', key: 'token' },
    ]);
  });

  it('is not asked for by another engine', () => {
    for (const spec of [{}, hpa, { scaling: { maxReplicas: 5 } }] as Spec[]) {
      const context = { service: aService(spec), deployment: undefined, pods: [] };
      for (const kind of kedaKinds(url)) expect(kind.build(context, undefined)).toBeUndefined();
    }
  });
});

describe('the HorizontalPodAutoscaler', () => {
  it('scales the service itself by the metrics of the spec', () => {
    expect(buildHorizontalPodAutoscaler(aService(hpa))?.spec).toEqual({
      scaleTargetRef: { apiVersion: 'sparsedm.io/v1alpha1', kind: 'SparseInferenceService', name: 'shirts' },
      minReplicas: 2,
      maxReplicas: 5,
      metrics: [cpu],
      behavior: { scaleDown: { stabilizationWindowSeconds: 300 } },
    });
    expect(buildHorizontalPodAutoscaler(aService(keda))).toBeUndefined();
  });
});

function children(conditions: object[], some: Partial<Child> = {}): Child[] {
  const live = { metadata: { name: 'shirts-scaler' }, status: { conditions } } as unknown as KubeObject;
  const kinds = [kedaKinds(url)[2], hpaKind] as unknown as Child['kind'][];
  return kinds.map((kind) => ({ kind, name: 'shirts-scaler', found: live, live, wanted: true, ...some }));
}

describe('ScalingActive', () => {
  const missing = { reason: 'KindMissing', message: 'There is no KEDA: install KEDA.', final: false };
  type Row = [title: string, spec: Spec, children: Child[], status: string, reason: string, says: string];
  const rows: Row[] = [
    ['KEDA is off in this installation', keda, [], 'False', 'KedaOff', 'keda.enabled=true'],
    [
      'KEDA works',
      keda,
      children([{ type: 'Ready', status: 'True' }]),
      'True',
      'ScaledByOther',
      'KEDA sets the number of pods, 1 to 5, by the ScaledObject shirts-scaler',
    ],
    [
      'KEDA may let the service sleep',
      { ...sleepy, replicas: 0 },
      children([{ type: 'Ready', status: 'True' }]),
      'True',
      'ScaledByOther',
      '0 to 5, by the ScaledObject shirts-scaler, which writes spec.replicas. Where it wrote 0, the operator',
    ],
    [
      'KEDA fails while the service sleeps',
      { ...sleepy, replicas: 0 },
      children([{ type: 'Ready', status: 'False', message: 'no such thing' }]),
      'False',
      'ScalerFails',
      'The service sleeps and wakes with 1 pod; kubectl scale changes it.',
    ],
    ['KEDA has not looked yet', keda, children([]), 'Unknown', 'WaitingForScaler', 'has not begun'],
    [
      'KEDA fails',
      keda,
      children([{ type: 'Ready', status: 'False', message: 'no such thing' }]),
      'False',
      'ScalerFails',
      'It says: no such thing. The number of pods stays 2',
    ],
    [
      'KEDA is not installed',
      keda,
      children([], { trouble: missing }),
      'False',
      'KindMissing',
      'install KEDA. The number of pods stays 2',
    ],
    [
      'the HorizontalPodAutoscaler works',
      hpa,
      children([{ type: 'ScalingActive', status: 'True' }]),
      'True',
      'ScaledByOther',
      '2 to 5',
    ],
    [
      'the HorizontalPodAutoscaler has no metric',
      hpa,
      children([{ type: 'ScalingActive', status: 'False', message: 'unable to get metrics' }]),
      'False',
      'ScalerFails',
      'unable to get metrics',
    ],
    ['the service is stopped', { ...hpa, replicas: 0 }, children([]), 'False', 'ScaledToZero', 'rests'],
  ];
  it.each(rows)('says that %s', (_, spec, all, status, reason, says) => {
    const verdict = judgeScaling({ service: aService(spec), children: all });
    expect(verdict).toMatchObject({ status, reason });
    expect(verdict.message).toContain(says);
  });

  it('says that 0 counts as 1 where no gateway could wake the service', () => {
    const scaling: Scaling = {
      config: scalingOf(aService(sleepy), false)!,
      replicas: 1,
      evaluation: undefined,
      sleepless: 'no pod of the gateway is ready',
    };
    const service = aService(sleepy);
    const works = children([{ type: 'Ready', status: 'True' }]);
    const verdict = judgeScaling({ service, children: works, scaling });
    expect(verdict).toMatchObject({ status: 'True', reason: 'NoGateway' });
    expect(verdict.message).toMatch(
      /minReplicas: 0 counts as 1, because no pod of the gateway is ready\. Or write minReplicas: 1\.$/,
    );
    const fails = children([{ type: 'Ready', status: 'False', message: 'no such thing' }]);
    expect(judgeScaling({ service, children: fails, scaling }).reason).toBe('ScalerFails');
  });

  it('goes by the conditions of its own kind', () => {
    expect(scaledObjects).not.toBe(horizontalPodAutoscalers);
    const ready = children([{ type: 'Ready', status: 'True' }]);
    expect(judgeScaling({ service: aService(hpa), children: ready }).status).toBe('Unknown');
  });
});
