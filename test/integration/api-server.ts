/**
 * The operator's own transport and client to an API server, and ways to wait for a condition. It needs no test runner:
 * commands use it too.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createKubeClient, type KubeClient } from '../../src/kube/client';
import { namespaces } from '../../src/kube/resources';
import { realClock } from '../../src/runtime/clock';
import { loadConnection } from '../../src/runtime/http/credentials';
import { createTransport, type Transport } from '../../src/runtime/http/transport';
import { createManager, type Manager, type ManagerOptions } from '../../src/runtime/manager';
import { keyOf, type KubeObject, type Resource } from '../../src/runtime/objects';
import type { Logger } from '../../src/runtime/telemetry/logger';
import { createMetrics } from '../../src/runtime/telemetry/metrics';
import { silentLogger } from '../support/silent-logger';

export type ApiServer = {
  kubeconfig: string;
  /** Fresh for this connection. */
  namespace: string;
  transport: Transport;
  client: KubeClient;
  /** Another namespace, for tests that list or watch. */
  createNamespace(): Promise<string>;
  close(): Promise<void>;
};

/** Connects to an API server, in a namespace of its own. */
export async function connectApiServer(options: {
  kubeconfig: string;
  userAgent?: string;
}): Promise<ApiServer> {
  const { kubeconfig } = options;
  const transport = createTransport({
    connection: loadConnection({ kubeconfig }),
    clock: realClock,
    userAgent: options.userAgent ?? 'integration-test',
  });
  const client = createKubeClient({ transport });
  const createNamespace = async () => {
    const name = `test-${randomBytes(5).toString('hex')}`;
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    return name;
  };
  return {
    kubeconfig,
    namespace: await createNamespace(),
    transport,
    client,
    createNamespace,
    close: () => transport.close(),
  };
}

/**
 * Calls fn until it neither throws nor returns false, and returns its result. Fails with the last error at the
 * deadline.
 */
export async function eventually<T>(
  fn: () => Promise<T | false> | T | false,
  { timeoutMs = 20_000, intervalMs = 25 }: { timeoutMs?: number; intervalMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let failure: unknown = new Error('the condition answered false');
    try {
      const result = await fn();
      if (result !== false) return result;
    } catch (error) {
      failure = error;
    }
    if (performance.now() >= deadline) {
      if (failure instanceof Error) failure.message += ` (for ${timeoutMs / 1000} s)`;
      throw failure;
    }
    await delay(intervalMs);
  }
}

/** Waits until an object meets a condition; returns the object. */
export async function waitForObject<T extends KubeObject>(
  server: Pick<ApiServer, 'client'>,
  resource: Resource<T>,
  key: { namespace: string; name: string },
  condition: (object: T) => boolean,
  timeoutMs = 20_000,
): Promise<T> {
  return eventually(
    async () => {
      const object = await server.client.get(resource, key);
      return object !== undefined && condition(object) ? object : false;
    },
    { timeoutMs },
  );
}

export type TestManager = {
  manager: Manager;
  /** Its writes enter the manager's caches, as in the operator. */
  client: KubeClient;
  transport: Transport;
  metrics: ReturnType<typeof createMetrics>;
  /** Starts the manager; resolves when every cache is filled. */
  start(): Promise<void>;
  /** Graceful stop; rejects when the manager failed. */
  stop(): Promise<void>;
};

/** A transport as the operator's own. */
export function operatorTransport(
  kubeconfig: string,
  metrics: ReturnType<typeof createMetrics>,
  userAgent = 'sparsedm-operator/test',
): Transport {
  return createTransport({
    connection: loadConnection({ kubeconfig }),
    clock: realClock,
    metrics,
    userAgent,
  });
}

/** A manager as the operator wires it, on one namespace; without leader election unless asked for. */
export function createTestManager(
  server: Pick<ApiServer, 'kubeconfig' | 'namespace'>,
  options: Partial<ManagerOptions> & { logger?: Logger; userAgent?: string } = {},
): TestManager {
  const metrics = createMetrics();
  const transport = operatorTransport(server.kubeconfig, metrics, options.userAgent);
  const manager = createManager({
    transport,
    clock: realClock,
    logger: silentLogger,
    metrics,
    namespaces: [server.namespace],
    ...options,
  });
  const client = createKubeClient({
    transport,
    observe: (resource, object) => manager.observe(resource, object),
    guard: () => manager.assertLeader(),
  });
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  return {
    manager,
    client,
    transport,
    metrics,
    async start() {
      running = manager.start(stopping.signal);
      const failed = running.then(() => undefined);
      failed.catch(() => undefined);
      await Promise.race([failed, eventually(() => manager.readiness().ready)]);
    },
    async stop() {
      stopping.abort();
      try {
        await running;
      } finally {
        await transport.close();
      }
    },
  };
}

/** Every object of the resource in a namespace as `name` to `resourceVersion`, to show that nothing was written. */
export async function versions(
  client: KubeClient,
  resource: Resource,
  namespace: string,
): Promise<Record<string, string | undefined>> {
  const objects = await client.list(resource, { namespace });
  return Object.fromEntries(objects.map((object) => [keyOf(object).name, object.metadata.resourceVersion]));
}
