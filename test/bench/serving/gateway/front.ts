/** The gateway's data plane in a process of its own: two services, of which one sleeps until the parent wakes it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDesk, type Shared } from '../../../../src/gateway/desk';
import { createListeners } from '../../../../src/gateway/listeners';
import { createGatewayMetrics } from '../../../../src/gateway/metrics';
import type { Route } from '../../../../src/gateway/route';
import { GATEWAY_DEFAULTS } from '../../../../src/gateway/settings';
import { realClock } from '../../../../src/runtime/clock';
import { createMetrics } from '../../../../src/runtime/telemetry/metrics';
import { noTracing } from '../../../../src/runtime/telemetry/tracing';
import { silentLogger } from '../../../support/silent-logger';

type Name = 'awake' | 'asleep';
/**
 * `origin`: of the pod that is there from now on; none puts the service to sleep. `isCounted`: asks for the memory that
 * is in use after a collection of garbage.
 */
export type ToFront = { service: Name; origin?: string } | { isCounted: true };
export type FromFront =
  { ports: Record<Name, number> } | { updated: true; mostHeld: number } | { heapMiB: number };

/** Of the last wake, from which Retry-After follows. */
const WAKE_SECONDS = 20;

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

function routeTo(name: string, port: number, origin?: string): Route {
  const uid = `${name}-0`;
  return {
    key: { namespace: 'bench', name },
    port,
    isDirect: false,
    wakeSeconds: WAKE_SECONDS,
    canary: undefined,
    replicas: origin === undefined ? [] : [{ uid, origin, revision: undefined }],
    starting: [],
    alive: new Set(origin === undefined ? [] : [uid]),
    reason: 'The benchmark has not started one yet.',
  };
}

const listeners = createListeners(GATEWAY_DEFAULTS);
let mostHeld = 0;
const shared: Shared = {
  settings: GATEWAY_DEFAULTS,
  clock: realClock,
  random: Math.random,
  logger: silentLogger,
  metrics: createGatewayMetrics(
    createMetrics().registry,
    () => [],
    () => listeners.connections,
  ),
  heldBytes: { sum: 0 },
  tracing: noTracing,
  isDraining: () => false,
  onDemand: () => {
    mostHeld = Math.max(mostHeld, desks.asleep.held);
  },
};
const ports = { awake: await freePort(), asleep: await freePort() };
const desks = {
  awake: createDesk(routeTo('awake', ports.awake), shared),
  asleep: createDesk(routeTo('asleep', ports.asleep), shared),
};
for (const name of ['awake', 'asleep'] as const) {
  await listeners.open(ports[name], (request, response) => void desks[name].handle(request, response));
}
process.on('message', (order: ToFront) => {
  if ('isCounted' in order) {
    globalThis.gc!();
    const { heapUsed, external } = process.memoryUsage();
    process.send!({ heapMiB: (heapUsed + external) / 1024 ** 2 } satisfies FromFront);
    return;
  }
  const { service, origin } = order;
  desks[service].update(routeTo(service, ports[service], origin));
  process.send!({ updated: true, mostHeld } satisfies FromFront);
});
process.once('disconnect', () => process.exit());
process.send!({ ports } satisfies FromFront);
