/** What the condition GatewayReady says: whether the requests go through the gateway where the spec needs that. */
import { REASONS } from '../api/conditions';
import type { SparseInferenceService } from '../api/types';
import { no, unknown, yes, type Verdict } from '../api/verdict';
import type { Decision } from '../rollout/advance';
import { isCanaryOpen } from '../rollout/state';
import { noGateways } from './gateways';
import type { TrafficPlan, TrafficSeen } from './traffic';

export type GatewaySeen = {
  service: SparseInferenceService;
  paths?: TrafficSeen | undefined;
  traffic?: TrafficPlan | undefined;
  rollout?: Decision | undefined;
};

/** Why no gateway can be relied on; undefined where one can. */
export function gatewayTrouble({ paths }: Pick<GatewaySeen, 'paths'>): string | undefined {
  return paths === undefined ? noGateways.trouble() : paths.trouble;
}

/** Undefined where the service asks for no gateway but to sleep, of which ScalingActive tells. */
export function judgeGateway(seen: GatewaySeen): Verdict | undefined {
  const { gateway, rollout, replicas } = seen.service.spec;
  const isAlways = gateway === 'Always';
  const isAsked = isAlways || rollout?.strategy === 'Canary';
  if (!isAsked || replicas === 0) return undefined;
  const trouble = gatewayTrouble(seen);
  return trouble === undefined ? present(seen, isAlways) : missing(isAlways, trouble);
}

function present({ traffic, rollout }: GatewaySeen, isAlways: boolean): Verdict {
  if (traffic?.status?.mode === 'Gateway') {
    return yes(REASONS.throughGateway, 'All requests go through the gateway.');
  }
  if (isAlways || isCanaryOpen(rollout?.state)) {
    const message = 'Requests go straight to the pods until the gateway is ready and every node leads to it.';
    return unknown(REASONS.switching, message);
  }
  return yes(REASONS.standsBy, 'The gateway is ready to divide the requests of a canary.');
}

function missing(isAlways: boolean, trouble: string): Verdict {
  const [what, remedy] = isAlways
    ? ['spec.gateway: Always is without effect, and requests go straight to the pods', 'gateway: Auto']
    : ['No new version can come by a canary, whose requests the gateway divides', 'strategy: RollingUpdate'];
  return no(REASONS.noGateway, `${what}, because ${trouble}. Or write ${remedy}.`);
}
