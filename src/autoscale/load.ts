/** What the replicas of a service report about their load, and how many replicas a target asks for. */

/** Load of one replica. */
export type Load = {
  /** Requests in the replica, as the mean since its last report. */
  requests: number;
  /** Images that wait to be drawn, and those refused since the last report because the queue was full. */
  queuedImages: number;
  /** Seconds in which this replica would draw those images: images x steps / measured steps per second. */
  denoisingSeconds: number;
  /** Seconds of denoising that arrived in a second, refused images included: 1 is as much as one replica can draw. */
  offeredLoad: number;
};

/** Exactly one of the three figures, for each replica. */
export type Target = { figure: 'concurrency' | 'queuedImages' | 'denoisingSeconds'; value: number };

const FIGURES = {
  concurrency: 'requests',
  queuedImages: 'queuedImages',
  denoisingSeconds: 'denoisingSeconds',
} as const satisfies Record<Target['figure'], keyof Load>;

/** Part of its capacity at which a replica of a service with a target for its queue may run all the time. */
export const UTILIZATION = 0.7;

export const NO_LOAD: Load = { requests: 0, queuedImages: 0, denoisingSeconds: 0, offeredLoad: 0 };

export function mapLoad(figure: (name: keyof Load) => number): Load {
  return {
    requests: figure('requests'),
    queuedImages: figure('queuedImages'),
    denoisingSeconds: figure('denoisingSeconds'),
    offeredLoad: figure('offeredLoad'),
  };
}

export function sumOf(loads: readonly Load[]): Load {
  return mapLoad((name) => loads.reduce((sum, load) => sum + load[name], 0));
}

/** The figure that the target is about. */
export function figureOf({ figure }: Target, total: Load): number {
  return total[FIGURES[figure]];
}

/**
 * Replicas, with a fraction, that a total load needs. A queue says nothing about the work that is being done, and is
 * short where replicas are just enough: a target for it needs at least the replicas that draw what arrives.
 * Example: with 10 s of denoising waiting, 2.1 s arriving in a second and a target of 2 s, the queue needs 10 / 2 = 5
 * replicas and the arrivals 2.1 / 0.7 = 3: 5.
 */
export function replicasFor(target: Target, total: Load): number {
  const wanted = figureOf(target, total) / target.value;
  return target.figure === 'concurrency' ? wanted : Math.max(wanted, total.offeredLoad / UTILIZATION);
}

/**
 * Replicas that requests need which wait for the first one. How many images each asks for, nobody knows before a replica
 * reads it: at least one. `imageSeconds`: what an image last took.
 */
export function replicasForHeld(
  { figure, value }: Target,
  held: number,
  imageSeconds: number | undefined,
): number {
  if (held === 0) return 0;
  if (figure !== 'denoisingSeconds') return Math.ceil(held / value);
  return Math.max(1, Math.ceil((held * (imageSeconds ?? 0)) / value));
}

export function isIdle({ requests, queuedImages }: Load): boolean {
  return requests === 0 && queuedImages === 0;
}
