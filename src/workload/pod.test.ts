import { describe, expect, it } from 'vitest';
import type { PodSettings } from '../api/types';
import { POD_DEFAULTS, workloadPod, type PodDefaults } from './pod';

function specOf(settings: PodSettings | undefined, defaults: Partial<PodDefaults>) {
  return workloadPod({
    settings,
    defaults: { ...POD_DEFAULTS, ...defaults },
    labels: {},
    container: { name: 'trainer' },
    image: 'trainer:1',
    env: {},
    claims: [],
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 60,
  }).spec!;
}

describe('pull secrets of a pod', () => {
  it.each([
    { own: undefined, fromFlags: [], want: undefined },
    { own: undefined, fromFlags: ['registry'], want: ['registry'] },
    { own: ['team'], fromFlags: [], want: ['team'] },
    { own: ['team', 'registry'], fromFlags: ['registry', 'mirror'], want: ['team', 'registry', 'mirror'] },
  ])("are those of the spec, then the operator's: $own and $fromFlags", ({ own, fromFlags, want }) => {
    const settings = own && { imagePullSecrets: own.map((name) => ({ name })) };
    const { imagePullSecrets } = specOf(settings, { imagePullSecrets: fromFlags });
    expect(imagePullSecrets?.map(({ name }) => name)).toEqual(want);
  });
});

describe('the security context of a pod', () => {
  it('is user and group 10001 by default', () => {
    expect(specOf({}, {}).securityContext).toMatchObject({
      runAsUser: 10001,
      runAsGroup: 10001,
      fsGroup: 10001,
    });
  });

  it('names no user where the operator is told to leave that to the cluster', () => {
    const securityContext = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
    const spec = specOf({}, { securityContext });
    expect(spec.securityContext).toEqual(securityContext);
    // Nothing else in the pod pins a user either.
    expect(JSON.stringify(spec)).not.toMatch(/runAsUser|runAsGroup|fsGroup|10001/);
  });
});
