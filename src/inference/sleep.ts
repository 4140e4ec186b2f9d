/** What the condition Ready says of a service without a pod that the gateway can wake. */
import { REASONS } from '../api/conditions';
import { yes, type Verdict } from '../api/verdict';
import { findCondition } from '../kube/conditions';
import type { Observed } from './plan';
import { countsOf } from './rollout';
import { askedReplicas, sleeps } from './scaling';

function isAsleep({ scaling }: Observed): boolean {
  return sleeps(scaling) && scaling?.evaluation !== undefined && scaling.replicas === 0;
}

/**
 * No pod is ready any more or yet, and the gateway holds the requests that come; or one just is, and its Deployment has
 * not counted it.
 */
export function isWaking(observed: Observed): boolean {
  const { deployment, scaling, traffic, paths } = observed;
  if (!sleeps(scaling) || isAsleep(observed) || !hasSlept(observed)) return false;
  const isOnItsWay = traffic?.status?.mode === 'Gateway' || paths?.serves !== undefined;
  return isOnItsWay && deployment !== undefined && countsOf(deployment).ready === 0;
}

function hasSlept({ service }: Observed): boolean {
  const before = findCondition(service.status?.conditions, 'Ready')?.reason;
  return before === REASONS.asleep || before === REASONS.waking;
}

/** Undefined where the service neither sleeps nor wakes, or where it can't wake. */
export function judgeSleep(observed: Observed, deploymentReady: Verdict): Verdict | undefined {
  if (deploymentReady.status === 'False') return undefined;
  const { service, scaling, traffic } = observed;
  const { wakeSeconds } = traffic?.status ?? {};
  const last = wakeSeconds === undefined ? '' : `, which took ${wakeSeconds} s the last time`;
  if (isAsleep(observed)) {
    const message = `No pod runs. The gateway holds the next request and wakes the service${last}.`;
    return yes(REASONS.asleep, message);
  }
  if (!isWaking(observed)) return undefined;
  const count = askedReplicas(service, scaling);
  const pods = count === 1 ? '1 pod starts' : `${count} pods start`;
  return yes(REASONS.waking, `${pods}, and the gateway holds the requests until one is ready${last}.`);
}
