/** Who sets the number of pods: what is written when another engine takes over, and what the status says about it. */
import { handOver, type Engine } from '../autoscale/handover';
import { REASONS } from '../api/conditions';
import type { SparseInferenceService } from '../api/types';
import { no, unknown, yes, type Verdict } from '../api/verdict';
import { scaledObjects } from '../kube/keda';
import { scalerName } from '../kube/names';
import { horizontalPodAutoscalers, type Deployment } from '../kube/resources';
import type { KubeObject, Resource } from '../runtime/objects';
import { childOf, troubleOf, type Child } from './children';
import {
  engineOf,
  isStopped,
  judgeOwnScaling,
  sleepsUnderKeda,
  withoutGateway,
  type Scaling,
} from './scaling';

/** What spec.replicas has to be before spec.scaling.engine begins; undefined where it is right. */
export function dueReplicas(
  service: SparseInferenceService,
  deployment: Deployment | undefined,
): number | undefined {
  const { spec, status } = service;
  return handOver({
    engine: engineOf(service),
    before: status?.scalingEngine,
    given: spec.replicas ?? 1,
    present: deployment && (deployment.spec?.replicas ?? 1),
    minReplicas: spec.scaling?.minReplicas ?? 1,
  });
}

export type ScalingSeen = {
  service: SparseInferenceService;
  scaling?: Scaling | undefined;
  children?: readonly Child[] | undefined;
};

export function judgeScaling(seen: ScalingSeen): Verdict {
  const other = OTHERS[engineOf(seen.service)];
  if (other !== undefined) return hindrance(seen, other) ?? judgeOther(seen, other);
  return judgeOwnScaling(seen.service, seen.scaling);
}

/** The condition in which the other autoscaler says whether it works. */
type Other = { resource: Resource; who: string; condition: string };

const HPA: Other = {
  resource: horizontalPodAutoscalers,
  who: 'A HorizontalPodAutoscaler',
  condition: 'ScalingActive',
};

const OTHERS: Partial<Record<Engine, Other>> = {
  keda: { resource: scaledObjects, who: 'KEDA', condition: 'Ready' },
  hpa: HPA,
};

const KEDA_OFF =
  'Scaling by KEDA is off: install the chart with keda.enabled=true, which lets the operator write ScaledObjects, TriggerAuthentications and ConfigMaps, or write scaling.engine: builtin.';

function judgeOther(seen: ScalingSeen, other: Other): Verdict {
  const { service, children, scaling } = seen;
  const owner = ownerText(service, other);
  if (service.spec.replicas === 0 && other === HPA) {
    return no(REASONS.scaledToZero, `spec.replicas is 0, at which a HorizontalPodAutoscaler rests. ${owner}`);
  }
  const said = saidBy(childOf(children, other.resource), other.condition);
  if (said?.status === 'True') {
    const { sleepless } = scaling ?? {};
    return sleepless === undefined ? yes(REASONS.scaledByOther, owner) : withoutGateway(owner, sleepless);
  }
  if (said?.status !== 'False') return unknown(REASONS.waitingForScaler, `${owner} It has not begun yet.`);
  return no(REASONS.scalerFails, `${owner} It says: ${said.message ?? 'no reason'}. ${stays(service)}`);
}

/** Why the other autoscaler has no object of ours to go by. */
function hindrance({ service, children = [] }: ScalingSeen, { resource }: Other): Verdict | undefined {
  if (!children.some(({ kind }) => kind.resource === resource)) {
    return no(REASONS.kedaOff, `${KEDA_OFF} ${stays(service)}`);
  }
  const trouble = troubleOf(children, resource);
  return trouble && no(trouble.reason, `${trouble.message} ${stays(service)}`);
}

function ownerText(service: SparseInferenceService, { who, resource }: Other): string {
  const { metadata, spec } = service;
  const { minReplicas = 1, maxReplicas } = spec.scaling ?? {};
  const name = scalerName(metadata.name);
  const owner = `${who} sets the number of pods, ${minReplicas} to ${maxReplicas}, by the ${resource.kind} ${name}, which writes spec.replicas.`;
  if (!sleepsUnderKeda(service)) return owner;
  return `${owner} Where it wrote 0, the operator keeps the last pod until no request has come for scaling.idleSeconds, and starts the first one for a request that the gateway holds.`;
}

function stays(service: SparseInferenceService): string {
  const { replicas = 1 } = service.spec;
  const isSleepy = replicas === 0 && !isStopped(service);
  const what = isSleepy ? 'The service sleeps and wakes with 1 pod' : `The number of pods stays ${replicas}`;
  return `${what}; kubectl scale changes it.`;
}

type Said = { type: string; status: string; message?: string };

function saidBy(live: KubeObject | undefined, condition: string): Said | undefined {
  const { status } = (live ?? {}) as { status?: { conditions?: Said[] } };
  return status?.conditions?.find(({ type }) => type === condition);
}
