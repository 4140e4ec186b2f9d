import type { BackoffOptions } from './backoff';
import type { WatchOptions } from './cache/cache';
import type { Clock } from './clock';
import { ApiError, isConflict } from './errors';
import { keyText, parseKey, type KubeObject, type ObjectKey, type Resource } from './objects';
import { WorkQueue, type Priority } from './queue/queue';
import type { Logger } from './telemetry/logger';
import type { Metrics } from './telemetry/metrics';
import { noTracing, type Span, type Tracing } from './telemetry/tracing';

/** When to reconcile again although nothing changes, and with which priority; default normal. */
export type ReconcileResult = { requeueAfterMs?: number; priority?: Priority } | undefined;

export type Reconciler = {
  /** Moves one object's world closer to its spec. When it throws, the key is retried with back-off. */
  reconcile(key: ObjectKey): Promise<ReconcileResult | void>;
};

/** Objects whose changes enqueue the owner that controls them. */
export type Owned<T extends KubeObject = KubeObject> = WatchOptions<T> & {
  resource: Resource<T>;
  ownerKind: string;
  /** Window in milliseconds: changes that follow the first within it share one pass; default 0. */
  settleMs?: number;
};

/** Objects whose changes enqueue the keys that they map to; called for the old and the new state. */
export type Watched<T extends KubeObject = KubeObject> = WatchOptions<T> & {
  resource: Resource<T>;
  toKeys(object: T): readonly ObjectKey[];
  /** As for Owned. */
  settleMs?: number;
};

export type ControllerOptions = {
  name: string;
  reconciler: Reconciler;
  concurrency: number;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  tracing?: Tracing | undefined;
  backoff?: Partial<BackoffOptions>;
};

export type Controller = {
  readonly name: string;
  enqueue(key: ObjectKey, priority?: Priority): void;
  /** Of several requests for one key the earliest counts, and a pass that begins before then is enough. */
  enqueueAfter(key: ObjectKey, ms: number): void;
  /** Works until `stop` aborts, then ends once the running reconciles have finished. */
  run(stop: AbortSignal): Promise<void>;
  readonly queue: WorkQueue;
};

/** Share of the workers that may do work other than what a user has just asked for. */
const lowerWorkers = 3 / 4;

type Outcome = 'success' | 'requeue_after' | 'error';

export function createController(options: ControllerOptions): Controller {
  const { name, reconciler, concurrency, clock, tracing = noTracing } = options;
  const metrics = options.metrics.controller;
  const labels = { controller: name };
  const logger = options.logger.child({ controller: name });
  const queue = new WorkQueue({
    clock,
    name,
    metrics: options.metrics,
    mostLower: Math.ceil(concurrency * lowerWorkers),
    ...(options.backoff === undefined ? {} : { backoff: options.backoff }),
  });
  metrics.maxConcurrent.set(labels, concurrency);
  metrics.activeWorkers.set(labels, 0);

  function fail(key: string, error: unknown): Outcome {
    metrics.reconcileErrors.inc(labels);
    const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    queue.addRateLimited(key, asked);
    // Losing a race is normal: the retry reads the winner's state.
    const level = isConflict(error) ? 'debug' : 'warn';
    logger[level]('reconcile failed, will retry', { key, failures: queue.failures(key), error });
    return 'error';
  }

  async function reconcile(key: string, span: Span): Promise<Outcome> {
    try {
      const result = await reconciler.reconcile(parseKey(key));
      queue.forget(key);
      if (result?.requeueAfterMs === undefined) return 'success';
      queue.addAfter(key, result.requeueAfterMs, result.priority);
      return 'requeue_after';
    } catch (error) {
      span.fail(error);
      return fail(key, error);
    }
  }

  function traced(key: string): Promise<Outcome> {
    const describe = () => ({
      name: `reconcile ${name}`,
      attributes: { controller: name, ...parseKey(key), queue_wait_seconds: queue.waitedMs(key) / 1000 },
    });
    return tracing.span(describe, async (span) => {
      const result = await reconcile(key, span);
      span.set({ result });
      return result;
    });
  }

  async function work(): Promise<void> {
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      const started = clock.monotonic();
      metrics.activeWorkers.inc(labels);
      const result = await traced(key);
      metrics.activeWorkers.dec(labels);
      metrics.reconciles.inc({ ...labels, result });
      metrics.reconcileSeconds.observe(labels, (clock.monotonic() - started) / 1000);
      queue.done(key);
    }
  }

  return {
    name,
    queue,
    enqueue: (key, priority) => queue.add(keyText(key), priority),
    enqueueAfter: (key, ms) => queue.addAfter(keyText(key), ms),
    async run(stop) {
      const close = () => queue.close();
      if (stop.aborted) close();
      stop.addEventListener('abort', close, { once: true });
      await Promise.all(Array.from({ length: concurrency }, () => work()));
      stop.removeEventListener('abort', close);
    },
  };
}
