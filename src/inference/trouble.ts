/** Why pods of a Deployment do not become ready. */
import type { Deployment, Pod } from '../kube/resources';
import { wordsIn } from '../reports/termination';
import {
  lastExit,
  logCommand,
  outOfMemory,
  startTrouble,
  type Exit,
  type Trouble,
} from '../workload/pod-state';
import { SERVER_CONTAINER } from './deployment';
import { exitError } from './report';

/** Trouble of the newest live pod, which is of this generation. */
export function podTrouble(newest: Pod | undefined): Trouble | undefined {
  if (newest === undefined) return undefined;
  const trouble = startTrouble(newest, SERVER_CONTAINER);
  const crash = crashOf(newest);
  if (crash === undefined || (trouble !== undefined && trouble.reason !== 'CrashLoopBackOff')) return trouble;
  return crash;
}

/** The server's own last message, when it has crashed and does not serve. */
function crashOf(pod: Pod): Trouble | undefined {
  const status = pod.status?.containerStatuses?.find((each) => each.name === SERVER_CONTAINER);
  const exit = lastExit(pod, SERVER_CONTAINER);
  if (exit === undefined || status?.ready === true) return undefined;
  return exitError(exit.message) ?? explainCrash(pod, exit);
}

function explainCrash(pod: Pod, { reason, exitCode, message }: Exit): Trouble {
  if (reason === 'OOMKilled') {
    return {
      reason,
      message: `The server ${outOfMemory(pod, SERVER_CONTAINER)}: raise spec.server.resources.limits.memory, or lower spec.engine.maxBatchSize.`,
    };
  }
  const words = wordsIn(message)?.slice(0, 512);
  const why = words ? words : `"${logCommand(pod, SERVER_CONTAINER)}" says why.`;
  return { reason: 'ServerFailed', message: `The server ended with exit code ${exitCode}: ${why}` };
}

export function isLate({ status }: Deployment): boolean {
  return (
    status?.conditions?.some(({ type, status: is }) => type === 'Progressing' && is === 'False') === true
  );
}

/** The API server's message when it refuses pods, or the Deployment controller's when a rollout takes too long. */
export function deploymentTrouble({ status }: Deployment): Trouble | undefined {
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
