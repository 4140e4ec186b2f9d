/** Who sets the number of replicas, and how it passes from one to another without a jump. */

/**
 * `builtin` decides by itself and leaves spec.replicas alone; the others write spec.replicas, by the scale subresource:
 * KEDA, a HorizontalPodAutoscaler, or with `none` a person or an autoscaler that the operator does not know.
 */
export type Engine = 'builtin' | 'keda' | 'hpa' | 'none';

export type Handover = {
  engine: Engine;
  /** The engine of the last pass; undefined where none is known. */
  before: Engine | undefined;
  /** spec.replicas. */
  given: number;
  /** Replicas of the Deployment; undefined where there is none. */
  present: number | undefined;
  minReplicas: number;
};

/**
 * What spec.replicas has to be before the new engine begins; undefined where it is right. KEDA and the
 * HorizontalPodAutoscaler begin from spec.replicas, which was without effect under builtin. builtin begins from the
 * Deployment. Both it and the HorizontalPodAutoscaler take a spec.replicas of 0 for a stopped service, where KEDA meant
 * a sleeping one.
 */
export function handOver(handover: Handover): number | undefined {
  const { engine, before, given, minReplicas } = handover;
  if (engine === before || engine === 'none') return undefined;
  if (before === 'keda' && given === 0) return Math.max(1, minReplicas);
  return engine === 'builtin' ? undefined : toOthers(handover);
}

function toOthers({ engine, before, given, present, minReplicas }: Handover): number | undefined {
  const isSetByOthers = before !== undefined && before !== 'builtin';
  if (isSetByOthers || present === undefined || given === 0) return undefined;
  // A HorizontalPodAutoscaler rests while spec.replicas is 0.
  const due = engine === 'hpa' || minReplicas > 0 ? Math.max(1, present) : present;
  return due === given ? undefined : due;
}
