import type { Target } from './load';

export type ScalingConfig = {
  minReplicas: number;
  maxReplicas: number;
  target: Target;
  scaleDownStabilizationSeconds: number;
  /** Of no effect unless minReplicas is 0. */
  idleSeconds: number;
  /** Part of the serving replicas that a burst must need to be one, in per cent. */
  panicPercent: number;
};
