import { expect, it } from 'vitest';
import { aDeployment, aService, condition, rolledOut } from '../../test/support/inference';
import { unknown } from '../api/verdict';
import type { Observed } from './plan';
import { scalingOf } from './scaling';
import { judgeSleep } from './sleep';
import { DIRECT, type TrafficSeen } from './traffic';

const seen: TrafficSeen = {
  addresses: ['10.0.0.1'],
  trouble: undefined,
  port: 20_000,
  opened: 9_000,
  sliced: 9_000,
  hasSlice: true,
  selected: 9_000,
  serves: undefined,
  wakeSeconds: undefined,
};

/** A service of one pod, whose Deployment counts `ready` of it. */
function readyBy(before: string, mode: 'Direct' | 'Gateway', serves: number | undefined, ready = 0) {
  const service = aService(
    { replicas: 1, scaling: { minReplicas: 0, maxReplicas: 3 } },
    { conditions: [condition('Ready', 'True', before)] },
  );
  const observed: Observed = {
    service,
    finetune: undefined,
    deployment: aDeployment(service, { ...rolledOut(1), readyReplicas: ready, availableReplicas: ready }),
    network: undefined,
    pods: [],
    scaling: { config: scalingOf(service)!, replicas: 1, evaluation: undefined },
    paths: { ...seen, serves },
    traffic: { ...DIRECT, status: { mode, gatewayPort: 20_000 } },
  };
  return judgeSleep(observed, unknown('Updating', 'A pod starts.'))?.reason;
}

it.each<[string, ...Parameters<typeof readyBy>, string | undefined]>([
  ['while no pod is ready', 'Asleep', 'Gateway', undefined, 0, 'Waking'],
  ['until the Deployment has counted the pod that is', 'Waking', 'Direct', 10, 0, 'Waking'],
  ['no longer once it has', 'Waking', 'Direct', 10, 1, undefined],
  ['not where nothing holds requests', 'Waking', 'Direct', undefined, 0, undefined],
  ['not where a service that served lost its pod', 'Serving', 'Gateway', undefined, 0, undefined],
])('a service wakes: %s', (_, before, mode, serves, ready, want) => {
  expect(readyBy(before, mode, serves, ready)).toBe(want);
});
