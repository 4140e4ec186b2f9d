import { describe, expect, it } from 'vitest';
import { aService, settings, uriModel } from '../../test/support/inference';
import type { SparseInferenceServiceSpec } from '../api/types';
import { buildDeployment, templateInputs } from './deployment';

const spreadOf = (server?: SparseInferenceServiceSpec['server']) =>
  buildDeployment(aService({ ...(server && { server }) }), uriModel, settings).spec?.template.spec
    ?.topologySpreadConstraints;

const own = {
  labelSelector: { matchLabels: { 'sparsedm.io/service': 'shirts' } },
  matchLabelKeys: ['pod-template-hash'],
};

describe('the spread of pods', () => {
  it('is even over hosts and zones, and keeps no pod waiting, by default', () => {
    expect(spreadOf()).toMatchObject([
      { topologyKey: 'kubernetes.io/hostname', maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway', ...own },
      { topologyKey: 'topology.kubernetes.io/zone', maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway', ...own },
    ]);
  });

  it('is the one that is asked for, over the pods of one version', () => {
    const asked = {
      topologyKey: 'rack',
      whenUnsatisfiable: 'DoNotSchedule' as const,
      maxSkew: 2,
      minDomains: 3,
    };
    expect(spreadOf({ topologySpreadConstraints: [asked] })).toMatchObject([{ ...asked, ...own }]);
  });

  it('is the scheduler’s own where an empty list asks for that', () => {
    expect(spreadOf({ topologySpreadConstraints: [] })).toBeUndefined();
  });

  it('leaves the inputs of a template without it as they were, so that no upgrade restarts a server', () => {
    expect(templateInputs(aService(), uriModel)).toBe('f888dc7cc4a35a79');
  });
});
