import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** Names, labels and buckets are controller-runtime's and client-go's, so that existing dashboards and alerts work. */
const reconcileBuckets = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5,
  1.75, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
];
const queueBuckets = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1000];
const requestBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

/** Gauges of prom-client with the suffix of counters, which promtool refuses: sums of what it has without the suffix. */
const MISNAMED = ['handles', 'requests', 'resources'].map((what) => `nodejs_active_${what}_total`);

/** Seconds of the work now in progress in one queue. */
export type QueueProgress = { unfinishedSeconds: number; longestSeconds: number };

export type Metrics = ReturnType<typeof createMetrics>;

function controllerMetrics(registers: Registry[]) {
  const labelNames = ['controller'] as const;
  return {
    reconciles: new Counter({
      name: 'controller_runtime_reconcile_total',
      help: 'Reconciliations per controller and result (success, error, requeue_after)',
      labelNames: ['controller', 'result'],
      registers,
    }),
    reconcileErrors: new Counter({
      name: 'controller_runtime_reconcile_errors_total',
      help: 'Reconciliations per controller that failed',
      labelNames,
      registers,
    }),
    reconcileSeconds: new Histogram({
      name: 'controller_runtime_reconcile_time_seconds',
      help: 'Length of a reconciliation per controller',
      labelNames,
      buckets: reconcileBuckets,
      registers,
    }),
    maxConcurrent: new Gauge({
      name: 'controller_runtime_max_concurrent_reconciles',
      help: 'Bound on concurrent reconciliations per controller',
      labelNames,
      registers,
    }),
    activeWorkers: new Gauge({
      name: 'controller_runtime_active_workers',
      help: 'Reconciliations that run now per controller',
      labelNames,
      registers,
    }),
  };
}

function queueMetrics(registers: Registry[], progress: ReadonlyMap<string, () => QueueProgress>) {
  const labelNames = ['name', 'controller'] as const;
  const collected = (name: string, help: string, read: (state: QueueProgress) => number) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect() {
        for (const [queue, state] of progress) this.set({ name: queue, controller: queue }, read(state()));
      },
    });
  return {
    depth: new Gauge({ name: 'workqueue_depth', help: 'Keys that wait in the queue', labelNames, registers }),
    adds: new Counter({ name: 'workqueue_adds_total', help: 'Keys added', labelNames, registers }),
    retries: new Counter({ name: 'workqueue_retries_total', help: 'Keys retried', labelNames, registers }),
    queueSeconds: new Histogram({
      name: 'workqueue_queue_duration_seconds',
      help: 'How long a key waits before it is processed',
      labelNames,
      buckets: queueBuckets,
      registers,
    }),
    workSeconds: new Histogram({
      name: 'workqueue_work_duration_seconds',
      help: 'How long processing a key takes',
      labelNames,
      buckets: queueBuckets,
      registers,
    }),
    unfinishedSeconds: collected(
      'workqueue_unfinished_work_seconds',
      'Seconds of work in progress, summed over keys',
      (state) => state.unfinishedSeconds,
    ),
    longestSeconds: collected(
      'workqueue_longest_running_processor_seconds',
      'Seconds that the longest running key has been in progress',
      (state) => state.longestSeconds,
    ),
  };
}

function clientMetrics(registers: Registry[]) {
  return {
    requests: new Counter({
      name: 'rest_client_requests_total',
      help: 'HTTP requests by status code, method and host; <error> where no answer came',
      labelNames: ['code', 'method', 'host'],
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'rest_client_request_duration_seconds',
      help: 'Latency of requests by verb and host',
      labelNames: ['verb', 'host'],
      buckets: requestBuckets,
      registers,
    }),
    lists: new Counter({
      name: 'reflector_lists_total',
      help: 'Complete lists read, per resource',
      labelNames: ['name'],
      registers,
    }),
    watches: new Counter({
      name: 'reflector_watches_total',
      help: 'Watches opened, per resource',
      labelNames: ['name'],
      registers,
    }),
    watchFailures: new Counter({
      name: 'reflector_failures_total',
      help: 'Lists and watches that failed, per resource',
      labelNames: ['name'],
      registers,
    }),
  };
}

/** All metrics of the runtime in one registry; callers may register more. */
export function createMetrics(registry: Registry = new Registry()) {
  const registers = [registry];
  const progress = new Map<string, () => QueueProgress>();
  return {
    registry,
    controller: controllerMetrics(registers),
    queue: queueMetrics(registers, progress),
    client: clientMetrics(registers),
    leader: new Gauge({
      name: 'leader_election_master_status',
      help: '1 while this process holds the lease',
      labelNames: ['name'],
      registers,
    }),
    eventsDropped: new Counter({
      name: 'sparsedm_events_dropped_total',
      help: 'Events that were not recorded, by cause (overflow, rate, error, overtaken)',
      labelNames: ['cause'],
      registers,
    }),
    /** Registers a queue whose work in progress is read at each scrape. */
    trackQueue(name: string, read: () => QueueProgress): void {
      progress.set(name, read);
    },
    /** Adds process and Node.js metrics; once per registry. */
    collectProcess(): void {
      // The default of 10 ms wakes the process a hundred times a second, which costs an idle process 0.65 % of a core.
      collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
      for (const name of MISNAMED) registry.removeSingleMetric(name);
    },
  };
}
