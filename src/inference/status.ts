import { REASONS, STALLED } from '../api/conditions';
import { defined } from '../api/defined';
import type { ServicePhase, SparseInferenceServiceStatus } from '../api/types';
import { conditionsFrom, no, unknown, yes, type Verdict } from '../api/verdict';
import type { Deployment, Pod } from '../kube/resources';
import { parseTerminationMessage } from '../reports/body';
import {
  byCreation,
  isDeleting,
  isOver,
  lastExit,
  startTrouble,
  type Exit,
  type Trouble,
} from '../workload/pod-state';
import { SERVER_CONTAINER } from './deployment';
import type { Resolution } from './model';
import { isCurrent, isForeign, wantedReplicas, type Observed } from './plan';
import { selectorText, serviceUrl } from './service';

/** What the Deployment's controller last counted. */
type Counts = { desired: number; all: number; updated: number; ready: number; available: number };

function countsOf(deployment: Deployment | undefined): Counts {
  const {
    replicas = 0,
    updatedReplicas = 0,
    readyReplicas = 0,
    availableReplicas = 0,
  } = deployment?.status ?? {};
  return {
    desired: deployment?.spec?.replicas ?? 0,
    all: replicas,
    updated: updatedReplicas,
    ready: readyReplicas,
    available: availableReplicas,
  };
}

/** The status that follows from what is observed; `engine` and the model's digest by report stay as they are. */
export function buildStatus(
  observed: Observed,
  resolution: Resolution,
  now: Date,
): SparseInferenceServiceStatus {
  const { service } = observed;
  const before = service.status ?? {};
  const ours = isForeign(observed.deployment, service) ? undefined : observed.deployment;
  const counts = countsOf(ours);
  const deploymentReady = judgeDeployment(observed, resolution, counts);
  const ready = judgeReady(resolution, deploymentReady, counts);
  const stalled = stalledBy(observed, resolution);
  const observedGeneration = service.metadata.generation ?? 0;
  const verdicts = {
    ModelReady: resolution.ready,
    QualityGatePassed: resolution.gate,
    DeploymentReady: deploymentReady,
    Ready: ready,
    [STALLED]: stalled && yes(stalled.reason, stalled.message),
  };
  const hasUrl = observed.network !== undefined && !isForeign(observed.network, service);
  return {
    ...withoutUrl(before),
    ...defined({ model: resolution.model ?? before.model, url: hasUrl ? serviceUrl(service) : undefined }),
    observedGeneration,
    phase: phaseOf(ready, deploymentReady, counts, stalled),
    replicas: counts.all,
    readyReplicas: counts.ready,
    desiredReplicas: service.spec.replicas ?? 1,
    selector: selectorText(service),
    conditions: conditionsFrom(before.conditions, verdicts, observedGeneration, now),
  };
}

function withoutUrl(status: SparseInferenceServiceStatus): SparseInferenceServiceStatus {
  const { url: _, ...rest } = status;
  return rest;
}

function stalledBy({ refusal }: Observed, { stalled }: Resolution): Trouble | undefined {
  if (stalled !== undefined) return stalled;
  return refusal?.final === true ? { reason: refusal.reason, message: refusal.message } : undefined;
}

function judgeDeployment(observed: Observed, resolution: Resolution, counts: Counts): Verdict {
  const hindrance = hindered(observed);
  if (hindrance !== undefined) return no(hindrance.reason, hindrance.message);
  const { deployment } = observed;
  if (deployment === undefined) {
    return unknown(REASONS.waitingForModel, 'The Deployment is created when there is a model to serve.');
  }
  if (resolution.model !== undefined && !isCurrent(observed, resolution)) {
    return unknown(REASONS.updating, 'The Deployment is about to change.');
  }
  return judgeRollout(observed, deployment, wantedReplicas(observed.service, resolution), counts);
}

function hindered({ service, deployment, network, refusal }: Observed): Trouble | undefined {
  const foreign = [deployment, network].find((child) => isForeign(child, service));
  if (foreign !== undefined) {
    const message = `The ${foreign.kind} ${foreign.metadata.name} exists and belongs to somebody else, so it is left alone: delete or rename it, or use another name for the SparseInferenceService.`;
    return { reason: REASONS.nameConflict, message };
  }
  return refusal;
}

/** Complete means: the controller has seen this template, and every pod is of it and available. */
function isComplete({ metadata, status }: Deployment, wanted: number, counts: Counts): boolean {
  const seen = (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0);
  return (
    seen && [counts.desired, counts.updated, counts.all, counts.available].every((count) => count === wanted)
  );
}

function judgeRollout(observed: Observed, deployment: Deployment, wanted: number, counts: Counts): Verdict {
  if (isComplete(deployment, wanted, counts)) {
    return yes(REASONS.available, `${replicasServe(counts.available)}, as many as wanted.`);
  }
  const trouble = podTrouble(observed.pods) ?? deploymentTrouble(deployment);
  if (trouble !== undefined) return no(trouble.reason, trouble.message);
  const current = Math.min(counts.updated, counts.available);
  return unknown(REASONS.updating, `${current} of ${wanted} replicas are up to date and serve.`);
}

/** The newest pod that lives is this generation's. */
function podTrouble(pods: readonly Pod[]): Trouble | undefined {
  const newest = pods
    .filter((pod) => !isDeleting(pod) && !isOver(pod))
    .sort(byCreation)
    .at(-1);
  if (newest === undefined) return undefined;
  const trouble = startTrouble(newest, SERVER_CONTAINER);
  const crash = crashOf(newest);
  if (crash === undefined || (trouble !== undefined && trouble.reason !== 'CrashLoopBackOff')) return trouble;
  return crash;
}

/** The server's own last sentence, when it has crashed and does not serve. */
function crashOf(pod: Pod): Trouble | undefined {
  const status = pod.status?.containerStatuses?.find((each) => each.name === SERVER_CONTAINER);
  const exit = lastExit(pod, SERVER_CONTAINER);
  if (exit === undefined || status?.ready === true) return undefined;
  return parseTerminationMessage(exit.message)?.error ?? explainCrash(exit);
}

function explainCrash({ reason, exitCode, message }: Exit): Trouble {
  if (reason === 'OOMKilled') {
    return {
      reason,
      message:
        'The server ran out of memory: raise server.resources.limits.memory, or lower engine.maxBatchSize.',
    };
  }
  const words = message?.trim().slice(0, 512);
  return {
    reason: 'ServerFailed',
    message: `The server ended with exit code ${exitCode}${words ? `: ${words}` : '; its log says why'}`,
  };
}

/** The API server's words when it refuses pods, and a roll-out that takes too long. */
function deploymentTrouble({ status }: Deployment): Trouble | undefined {
  const conditions = status?.conditions ?? [];
  const refused = conditions.find(({ type, status: value }) => type === 'ReplicaFailure' && value === 'True');
  const late = conditions.find(({ type, status: value }) => type === 'Progressing' && value === 'False');
  const found = refused ?? late;
  return (
    found && {
      reason: found.reason ?? found.type,
      message: found.message ?? 'The Deployment makes no progress.',
    }
  );
}

/** Derived: True when the model, its gate and this generation's pods are, and there is a pod at all. */
function judgeReady(
  { ready, gate }: Resolution,
  deploymentReady: Verdict,
  { desired, ready: pods }: Counts,
): Verdict {
  const open = [ready, gate, deploymentReady].filter(({ status }) => status !== 'True');
  const first = open.find(({ status }) => status === 'False') ?? open[0];
  if (first !== undefined) return { ...first, status: first.status === 'False' ? 'False' : 'Unknown' };
  if (desired === 0)
    return no(REASONS.scaledToZero, 'spec.replicas is 0: raise it to serve, for example with kubectl scale.');
  return yes(REASONS.serving, `${replicasServe(pods)}.`);
}

function replicasServe(count: number): string {
  return count === 1 ? '1 replica serves' : `${count} replicas serve`;
}

function phaseOf(
  ready: Verdict,
  deploymentReady: Verdict,
  counts: Counts,
  stalled: Trouble | undefined,
): ServicePhase {
  if (stalled !== undefined) return 'Failed';
  if (ready.status === 'True') return 'Ready';
  if (counts.ready === 0) return 'Pending';
  return deploymentReady.status === 'False' ? 'Degraded' : 'Updating';
}
