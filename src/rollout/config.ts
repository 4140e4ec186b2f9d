/** How a new version reaches the requests. */
export type Strategy = 'RollingUpdate' | 'Recreate' | 'Canary';

export type CanaryStep = {
  /** Part of the requests that the canary gets, in per cent. */
  weight: number;
  holdSeconds: number;
};

export type Analysis = {
  maxErrorRatePercent: number;
  /** Undefined: the latency is not judged. */
  maxLatencyIncreasePercent: number | undefined;
  /** Undefined: the images are not judged. */
  maxDistanceIncreasePercent?: number | undefined;
  /** Requests to the canary in a step before it is judged. */
  minRequests: number;
};

export type CanaryConfig = {
  /** At least one; weights rise. */
  steps: readonly CanaryStep[];
  analysis: Analysis;
  /** Time for the canary's pods to be ready, in seconds. */
  deadlineSeconds: number;
  /** Digest of steps and analysis: a canary starts again when they change. */
  digest: string;
};
