import { describe, expect, it } from 'vitest';
import { aDeployment, aService, settings, uriModel } from '../../test/support/inference';
import { buildCanary, canaryConfig } from './canary';
import { buildDeployment } from './deployment';
import { buildNetworkPolicy } from './network-policy';
import { wantedRevision } from './revision';
import { buildService } from './service';

const canaryService = aService({ rollout: { strategy: 'Canary' }, networkPolicy: {} });
const canary = buildCanary(canaryService, uriModel, settings, 1);
const pod = canary.spec!.template.metadata!.labels as Record<string, string>;

const selects = (selector: Record<string, string> = {}) =>
  Object.entries(selector).every(([key, value]) => pod[key] === value);

describe('the Deployment of a canary', () => {
  it('has pods of its own, which its service is known by', () => {
    expect(canary.metadata.name).toBe('shirts-canary');
    expect(canary.metadata.ownerReferences).toMatchObject([{ uid: 'service-uid', controller: true }]);
    expect(selects(canary.spec?.selector.matchLabels)).toBe(true);
    expect(pod).toMatchObject({
      'sparsedm.io/service': 'shirts',
      'sparsedm.io/revision': wantedRevision(canaryService, uriModel),
    });
  });

  it('has none of what serves, nor gets its requests', () => {
    expect(selects(aDeployment(canaryService).spec?.selector.matchLabels)).toBe(false);
    expect(selects(buildService(canaryService).spec?.selector)).toBe(false);
  });

  it('is guarded by the NetworkPolicy of its service', () => {
    const policy = buildNetworkPolicy(canaryService, { operatorNamespace: 'system', reportsPorts: [8082] });
    expect(selects(policy?.spec?.podSelector?.matchLabels)).toBe(true);
  });

  it('runs what takes the place of what serves', () => {
    const promoted = buildDeployment(canaryService, uriModel, settings);
    expect(canary.spec?.template.spec).toEqual(promoted.spec?.template.spec);
    expect(canary.metadata.annotations).toEqual(promoted.metadata.annotations);
  });
});

describe('the plan of a canary', () => {
  it('has three steps and a bound on errors by default', () => {
    expect(canaryConfig(canaryService)).toMatchObject({
      steps: [10, 25, 50].map((weight) => ({ weight, holdSeconds: 60 })),
      analysis: {
        maxErrorRatePercent: 5,
        maxLatencyIncreasePercent: undefined,
        minRequests: 20,
      },
      deadlineSeconds: 1200,
    });
  });

  it.each([
    ['another strategy', {}],
    ['the way back to an earlier version', { strategy: 'Canary' as const, undoTo: 1 }],
  ])('is absent for %s', (_, rollout) => {
    expect(canaryConfig(aService({ rollout }))).toBeUndefined();
  });

  it('has a digest that changes with its steps and bounds alone', () => {
    const digestOf = (canary: object, more: object = {}) =>
      canaryConfig(aService({ rollout: { strategy: 'Canary', canary, ...more } }))?.digest;
    const plain = digestOf({});
    expect(digestOf({}, { progressDeadlineSeconds: 60 })).toBe(plain);
    expect(digestOf({ steps: [{ weight: 50 }] })).not.toBe(plain);
    expect(digestOf({ analysis: { minRequests: 5 } })).not.toBe(plain);
  });
});
