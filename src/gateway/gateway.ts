/** The gateway: takes requests for services that sleep, or whose requests are divided between versions. */
import { sparseInferenceServices, type SparseInferenceService } from '../api/types';
import { labels } from '../kube/names';
import { pods, type Pod } from '../kube/resources';
import type { Store } from '../runtime/cache/store';
import { sleep, type Clock } from '../runtime/clock';
import type { Transport } from '../runtime/http/transport';
import { createManager } from '../runtime/manager';
import { keyText, parseKey, type ObjectKey } from '../runtime/objects';
import type { Logger } from '../runtime/telemetry/logger';
import type { Metrics } from '../runtime/telemetry/metrics';
import { noTracing, type Tracing } from '../runtime/telemetry/tracing';
import { createDesk, type Desk, type Shared } from './desk';
import { leave } from './leave';
import { createListeners } from './listeners';
import { createGatewayMetrics, type Counts } from './metrics';
import { createReporter, type Post } from './reporter';
import { routedPod, routeOf, type Route } from './route';
import type { GatewaySettings } from './settings';

export type GatewayDependencies = {
  settings: GatewaySettings;
  namespaces: readonly string[];
  transport: Transport;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  post: Post;
  /** Records each request, if traces are configured. */
  tracing?: Tracing;
  random?: () => number;
};

export type Gateway = {
  /** Runs until the signal aborts and every request has ended, or the grace period is over. */
  run(signal: AbortSignal): Promise<void>;
  readiness(): { ready: boolean; waitingFor: readonly string[] };
};

const SERVICE_INDEX = 'service';

function serviceOf({ metadata }: Pod): string[] {
  const name = metadata.labels?.[labels.service];
  return name === undefined ? [] : [keyText({ namespace: metadata.namespace ?? '', name })];
}

export function createGateway({ tracing = noTracing, ...dependencies }: GatewayDependencies): Gateway {
  const { settings, clock, logger, metrics } = dependencies;
  const manager = createManager({ ...dependencies, logger, drainMs: 0 });
  const desks = new Map<string, Desk>();
  const listeners = createListeners(settings);
  const shared: Shared = {
    settings,
    clock,
    logger,
    random: dependencies.random ?? Math.random,
    heldBytes: { sum: 0 },
    tracing,
    isDraining: () => isDraining,
    onDemand: (key, isHeld) => reporter.due(key, isHeld),
    metrics: createGatewayMetrics(metrics.registry, counts, () => listeners.connections),
  };
  const reporter = createReporter({
    clock,
    logger,
    post: dependencies.post,
    read(key) {
      const desk = desks.get(keyText(key));
      return desk && { key, held: desk.held, requests: desk.requests, revisions: desk.revisions };
    },
  });
  let isDraining = false;

  function* counts(): Generator<[string, string, Counts]> {
    for (const desk of desks.values()) yield [desk.route.key.namespace, desk.route.key.name, desk];
  }

  const selector = { labelSelector: labels.service };
  const stores: { services: Store<SparseInferenceService>; pods: Store<Pod> } = {
    services: manager.watch(sparseInferenceServices),
    pods: manager.watch(pods, {
      ...selector,
      transform: routedPod,
      indexes: { [SERVICE_INDEX]: serviceOf },
    }),
  };
  manager.controller({
    name: 'gateway',
    for: sparseInferenceServices,
    watches: [{ resource: pods, ...selector, toKeys: (pod) => serviceOf(pod as Pod).map(parseKey) }],
    reconciler: { reconcile },
  });

  async function reconcile(key: ObjectKey): Promise<undefined> {
    const text = keyText(key);
    const service = stores.services.get(key.namespace, key.name);
    const route = service && routeOf(service, stores.pods.byIndex(SERVICE_INDEX, text));
    const desk = desks.get(text);
    if (desk !== undefined && desk.route.port !== route?.port) close(text, desk);
    if (route === undefined) return;
    const open = desks.get(text);
    if (open === undefined) await listen(text, route);
    else open.update(route);
  }

  function close(text: string, desk: Desk): void {
    desks.delete(text);
    listeners.close(desk.route.port);
    desk.close();
  }

  async function listen(text: string, route: Route): Promise<void> {
    const desk = createDesk(route, shared);
    await listeners.open(route.port, (request, response) => void desk.handle(request, response));
    desks.set(text, desk);
  }

  function closedPorts(): string[] {
    return stores.services
      .list()
      .map(({ status }) => status?.traffic?.gatewayPort)
      .filter((port) => port !== undefined && !listeners.isOpen(port))
      .map((port) => `port ${port}`);
  }

  function readiness() {
    if (isDraining) return { ready: false, waitingFor: ['the end of its requests'] };
    const { ready, waitingFor } = manager.readiness();
    const closed = ready ? closedPorts() : [];
    return { ready: ready && closed.length === 0, waitingFor: [...waitingFor, ...closed] };
  }

  async function drain(): Promise<void> {
    isDraining = true;
    logger.info('draining', { connections: listeners.connections });
    const { drainDelayMs: delayMs, graceMs } = settings;
    const overAt = clock.monotonic() + delayMs + graceMs;
    await leave(clock, { delayMs, mostMs: graceMs / 2 }, () => listeners.requests);
    const given = new AbortController();
    await Promise.race([listeners.drain(), sleep(clock, overAt - clock.monotonic(), given.signal)]);
    given.abort();
    listeners.destroy();
    for (const desk of desks.values()) desk.close();
  }

  return {
    readiness,
    async run(signal) {
      const ended = new AbortController();
      const working = manager.start(ended.signal);
      const reporting = reporter.run(ended.signal);
      const stopped = new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      try {
        await Promise.race([stopped, working]);
        // Pods go on being watched while requests still wait for them.
        await drain();
      } finally {
        ended.abort();
        await Promise.all([working, reporting]);
      }
    },
  };
}
