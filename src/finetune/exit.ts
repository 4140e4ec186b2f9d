import type { Pod } from '../kube/resources';
import { wordsIn } from '../reports/termination';
import { withUris } from '../workload/claims';
import {
  lastExit,
  logCommand,
  outOfMemory,
  podFailure,
  type Exit,
  type Trouble,
} from '../workload/pod-state';
import { FINAL_EXIT_CODES, TRAINER_CONTAINER } from './job';
import { hasLostAnother } from './nodes';
import { parseTerminationMessage } from './report';

/** Why a training pod failed: the trainer's own message first, then the kubelet's. Undefined when it did not fail. */
export function failureOf(pod: Pod): Trouble | undefined {
  const exit = lastExit(pod, TRAINER_CONTAINER);
  const failed = exit !== undefined && exit.exitCode !== 0;
  const told = failed ? parseTerminationMessage(exit.message)?.error : undefined;
  const failure = told ?? podFailure(pod) ?? (failed ? explainExit(pod, exit) : undefined);
  return failure && { ...failure, message: withUris(failure.message) };
}

/** Why the newest pods failed: pods that only lost another one say nothing of the cause. Oldest first. */
export function causeOf(pods: readonly Pod[]): Trouble | undefined {
  const pod = failedPod(pods);
  return pod && failureOf(pod);
}

/** The newest pod that failed, by itself where there is one. */
export function failedPod(pods: readonly Pod[]): Pod | undefined {
  const failed = pods.filter((pod) => failureOf(pod) !== undefined);
  return failed.findLast((pod) => !hasLostAnother(lastExit(pod, TRAINER_CONTAINER))) ?? failed.at(-1);
}

/** Whether the pod failed in a way that its Job does not retry. */
export function endsTheJob(pod: Pod): boolean {
  const exit = lastExit(pod, TRAINER_CONTAINER);
  return exit !== undefined && FINAL_EXIT_CODES.includes(exit.exitCode);
}

function explainExit(pod: Pod, { exitCode, reason, message }: Exit): Trouble {
  if (reason === 'OOMKilled') {
    return {
      reason,
      message: `The trainer ${outOfMemory(pod, TRAINER_CONTAINER)}: raise spec.trainer.resources.limits.memory, or lower spec.training.batchSize in a new SparseFinetune.`,
    };
  }
  if (exitCode === 143)
    return { reason: 'Terminated', message: 'The trainer was stopped by SIGTERM (exit code 143).' };
  const words = wordsIn(message)?.split('\n').at(-1)?.slice(0, 512);
  const why = words ? words : `"${logCommand(pod, TRAINER_CONTAINER)}" says why`;
  return {
    reason: reason === 'Error' ? 'TrainerFailed' : reason,
    message: `The trainer ended with exit code ${exitCode}: ${why}.`,
  };
}
