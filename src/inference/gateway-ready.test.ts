import { describe, expect, it } from 'vitest';
import { aService } from '../../test/support/inference';
import type { SparseInferenceServiceSpec } from '../api/types';
import type { Decision } from '../rollout/advance';
import { judgeGateway } from './gateway-ready';
import { DIRECT, type TrafficSeen } from './traffic';

const always = { gateway: 'Always' as const };
const canary = { rollout: { strategy: 'Canary' as const } };

const paths = (trouble?: string): TrafficSeen => ({
  addresses: [],
  trouble,
  port: 20_000,
  opened: undefined,
  sliced: undefined,
  hasSlice: false,
  selected: undefined,
  serves: undefined,
  wakeSeconds: undefined,
});
const through = { ...DIRECT, status: { mode: 'Gateway' as const, gatewayPort: 20_000 } };
const open: Decision = {
  state: {
    strategy: 'Canary',
    phase: 'Progressing',
    step: 1,
    revision: 'b',
    since: '2026-01-01T00:00:00Z',
    message: '',
  },
  rolls: false,
  canary: undefined,
  traffic: undefined,
  isRefused: false,
};

describe('the condition of the gateway', () => {
  it.each<[string, Partial<SparseInferenceServiceSpec>, object, string | undefined]>([
    ['is absent where none is asked for', {}, {}, undefined],
    ['is absent where the service is stopped', { ...always, replicas: 0 }, {}, undefined],
    ['says that all requests pass', always, { paths: paths(), traffic: through }, 'True ThroughGateway'],
    ['says that they do not yet', always, { paths: paths(), traffic: DIRECT }, 'Unknown Switching'],
    ['says that a canary can come', canary, { paths: paths(), traffic: DIRECT }, 'True StandsBy'],
    [
      'says that a canary’s requests are not divided yet',
      canary,
      { paths: paths(), traffic: DIRECT, rollout: open },
      'Unknown Switching',
    ],
    [
      'says that a canary’s requests are divided',
      canary,
      { paths: paths(), traffic: through, rollout: open },
      'True ThroughGateway',
    ],
    ['says that there is none, for all requests', always, {}, 'False NoGateway'],
    ['says that there is none, for canaries', canary, { paths: paths('x') }, 'False NoGateway'],
  ])('%s', (_, spec, seen, want) => {
    const verdict = judgeGateway({ service: aService(spec), ...seen });
    expect(verdict && `${verdict.status} ${verdict.reason}`).toBe(want);
  });

  it('names the remedy', () => {
    expect(judgeGateway({ service: aService(always) })?.message).toBe(
      'spec.gateway: Always is without effect, and requests go straight to the pods, because this operator was started without a gateway: install the chart with gateway.enabled=true. Or write gateway: Auto.',
    );
    const gone = 'no pod of the gateway is ready: kubectl get pods -n system -l a=b';
    expect(judgeGateway({ service: aService(canary), paths: paths(gone) })?.message).toBe(
      `No new version can come by a canary, whose requests the gateway divides, because ${gone}. Or write strategy: RollingUpdate.`,
    );
  });
});
