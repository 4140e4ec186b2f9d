import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export type GatewayMetrics = ReturnType<typeof createGatewayMetrics>;

export type Counts = { replicas: number; held: number; requests: number };

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];

/** `read`: what is in the gateway now, by service. */
export function createGatewayMetrics(
  registry: Registry,
  read: () => Iterable<[namespace: string, name: string, counts: Counts]>,
  connections: () => number,
) {
  const registers = [registry];
  const service = ['namespace', 'service'] as const;
  const now = (name: string, help: string, pick: (counts: Counts) => number) =>
    new Gauge({
      name,
      help,
      labelNames: service,
      registers,
      collect() {
        this.reset();
        for (const [namespace, name, counts] of read()) this.set({ namespace, service: name }, pick(counts));
      },
    });
  now('sparsedm_gateway_replicas', 'Replicas that are ready for requests', ({ replicas }) => replicas);
  now('sparsedm_gateway_held_requests', 'Requests that wait for a replica', ({ held }) => held);
  now('sparsedm_gateway_requests_in_flight', 'Requests in progress', ({ requests }) => requests);
  new Gauge({
    name: 'sparsedm_gateway_connections',
    help: 'Open connections of clients',
    registers,
    collect() {
      this.set(connections());
    },
  });
  return {
    requests: new Counter({
      name: 'sparsedm_gateway_requests_total',
      help: 'Requests by the version that answered (empty where the gateway did) and the status',
      labelNames: [...service, 'revision', 'code'],
      registers,
    }),
    seconds: new Histogram({
      name: 'sparsedm_gateway_request_duration_seconds',
      help: 'Time from the head of a request to the end of its answer',
      labelNames: service,
      buckets: SECONDS,
      registers,
    }),
    heldSeconds: new Histogram({
      name: 'sparsedm_gateway_held_duration_seconds',
      help: 'Time for which requests waited for a replica',
      labelNames: service,
      buckets: SECONDS,
      registers,
    }),
    retries: new Counter({
      name: 'sparsedm_gateway_retries_total',
      help: 'Requests that were sent to another replica',
      labelNames: service,
      registers,
    }),
    ejections: new Counter({
      name: 'sparsedm_gateway_ejections_total',
      help: 'Replicas that failed and were left out for a time',
      labelNames: service,
      registers,
    }),
  };
}
