import { createAutoscaler } from '../autoscale/autoscaler';
import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { aService, settings } from '../../test/support/inference';
import type { SparseFinetune, SparseInferenceService } from '../api/types';
import { createKubeClient } from '../kube/client';
import { deployments, services, type Deployment, type Pod, type Service } from '../kube/resources';
import { ObjectStore } from '../runtime/cache/store';
import { createTally } from '../rollout/tally';
import type { Request, Transport } from '../runtime/http/transport';
import { collectionPath, type KubeObject } from '../runtime/objects';
import { createQualityBoard } from './quality';
import { createServiceReconciler, SERVICE_INDEX, serviceOfPod } from './reconcile';

const key = { namespace: 'ml', name: 'shirts' };

/** An API server that stores what is created or applied, the port of Services in words of its own. */
function rewritingServer() {
  const sent: string[] = [];
  let version = 100;
  function stored(request: Request): KubeObject {
    const object = structuredClone(request.body) as Service;
    const port = object.spec?.ports?.[0];
    if (port !== undefined) port.targetPort = 8080;
    object.metadata.uid ??= `uid-of-${object.metadata.name}`;
    object.metadata.resourceVersion = String(++version);
    return object;
  }
  const transport: Transport = {
    request<T>(request: Request): Promise<T> {
      if (request.method === 'GET') return Promise.resolve({ items: [], metadata: {} } as T);
      if (!request.path.endsWith('/status')) sent.push(`${request.method} ${request.path}`);
      return Promise.resolve(stored(request) as T);
    },
    watch: () => {
      throw new Error('nobody watches here');
    },
    close: () => Promise.resolve(),
  };
  return { transport, sent };
}

it('sends a child that the server rewrites once, and not again in every pass', async () => {
  const stores = {
    services: new ObjectStore<SparseInferenceService>(),
    finetunes: new ObjectStore<SparseFinetune>(),
    deployments: new ObjectStore<Deployment>(),
    networks: new ObjectStore<Service>(),
    pods: new ObjectStore<Pod>({ [SERVICE_INDEX]: serviceOfPod }),
  };
  stores.services.applyEvent(aService());
  stores.networks.moveTo('1');
  stores.deployments.moveTo('1');
  const { transport, sent } = rewritingServer();
  const client = createKubeClient({
    transport,
    observe(resource, object) {
      if (resource.plural === services.plural) stores.networks.observeWrite(object);
      if (resource.plural === deployments.plural) {
        stores.deployments.observeWrite(object);
      }
    },
  });
  const clock = new FakeClock();
  const reconciler = createServiceReconciler({
    client,
    clock,
    autoscaler: createAutoscaler({ clock }),
    tally: createTally({ clock }),
    quality: createQualityBoard(),
    events: { event: () => undefined },
    settings,
    ...stores,
  });
  for (let pass = 0; pass < 4; pass++) await reconciler.reconcile(key);
  const service = collectionPath(services, 'ml');
  const deployment = collectionPath(deployments, 'ml');
  expect(sent.filter((line) => line.includes(deployment))).toEqual([`PATCH ${deployment}/shirts-server`]);
  // Created without a digest, then applied once.
  expect(sent.filter((line) => line.includes(service))).toEqual([
    `POST ${service}`,
    `PATCH ${service}/shirts`,
  ]);
});
