/** The rows of a study's table, from its cells and their SparseFinetunes. */
import type { LatencyStatus, MacsStatus, SparseFinetune, StudyRun } from '../api/types';
import { findCondition } from '../kube/conditions';
import { defined } from '../runtime/defined';
import { cutToLength } from '../runtime/text';
import type { Cell } from './cells';

const LONGEST_MESSAGE = 512;

export function waitingRun({ name, pattern, method, layers, seed }: Cell): StudyRun {
  return { name, pattern, method, layers, seed, phase: 'Waiting' };
}

/** Whether nothing about the row changes any more. */
export function hasEnded({ phase }: StudyRun): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

export function isActive(run: StudyRun): boolean {
  return run.phase !== 'Waiting' && !hasEnded(run);
}

export function refusedRun(run: StudyRun, message: string): StudyRun {
  return { ...run, phase: 'Failed', message: cutToLength(message, LONGEST_MESSAGE) };
}

/**
 * The row with what its SparseFinetune says. One that has ended stays as it is when its SparseFinetune goes; one that
 * had not waits again.
 */
export function updatedRun(run: StudyRun, finetune: SparseFinetune | undefined): StudyRun {
  if (finetune === undefined) return hasEnded(run) ? run : { ...identity(run), phase: 'Waiting' };
  const { phase = 'Pending', conditions, rollback } = finetune.status ?? {};
  const why = phase === 'Failed' ? findCondition(conditions, 'Succeeded')?.message : rollback?.message;
  return {
    ...identity(run),
    phase,
    ...(why === undefined ? {} : { message: cutToLength(why, LONGEST_MESSAGE) }),
    ...figuresOf(finetune),
  };
}

function figuresOf({ status = {} }: SparseFinetune): Partial<StudyRun> {
  const { fid, macs, latency, model, rollback } = status;
  // Its model has another pattern than the row.
  if (rollback !== undefined) return defined({ modelUri: model?.uri });
  return defined({
    metric: fid?.metric,
    denseDistance: fid?.dense,
    distance: fid?.sparse,
    ...costOf(macs, latency),
    modelUri: model?.uri,
  });
}

function costOf(macs: MacsStatus | undefined, latency: LatencyStatus | undefined): Partial<StudyRun> {
  return {
    ...defined({ denseMacs: macs?.totalDense, macs: macs?.totalSparse }),
    ...defined({ latencyMilliseconds: latency?.millisecondsPerImage, device: latency?.device }),
  };
}

function identity({ name, pattern, method, layers, seed }: StudyRun): Omit<StudyRun, 'phase'> {
  return { name, pattern, method, layers, seed };
}
