/** What a service's status says when the API server does not take its Deployment. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sparseInferenceServices, type SparseInferenceService } from '../../src/api/types';
import { deployments } from '../../src/kube/resources';
import { objectPath } from '../../src/runtime/objects';
import { eventually, openApiServer, type ApiServer } from './harness';
import { conditionOf, createDownWebhook, startOperator, type RunningOperator } from './operator';
import { service, type Changes } from './specs';

let server: ApiServer;
let operator: RunningOperator;

beforeAll(async () => {
  server = await openApiServer();
  operator = await startOperator(server);
});
afterAll(async () => {
  await operator.stop();
  await server.close();
});

const keyOf = (name: string) => ({ namespace: server.namespace, name });

async function create(name: string, spec: Changes = {}): Promise<void> {
  await server.client.create(sparseInferenceServices, service(name, server.namespace, spec));
}

const findDeployment = (name: string) => server.client.get(deployments, keyOf(`${name}-server`));

function serviceWhere(
  name: string,
  meets: (one: SparseInferenceService) => boolean,
): Promise<SparseInferenceService> {
  return eventually(async () => {
    const found = await server.client.get(sparseInferenceServices, keyOf(name));
    return found !== undefined && meets(found) ? found : false;
  });
}

const pages = { resources: { limits: { cpu: 1, 'hugepages-2Mi': '3Mi' } } };

it('names the field of spec.server, and is stalled', async () => {
  await create('pages', { server: pages });
  const seen = await serviceWhere('pages', (one) => conditionOf(one, 'Stalled')?.status === 'True');
  expect(conditionOf(seen, 'Stalled')?.reason).toBe('Invalid');
  expect(conditionOf(seen, 'Stalled')?.message).toContain('spec.server.resources.limits');
  expect(conditionOf(seen, 'Stalled')?.message).not.toContain('spec.template');
});

it('leaves the Deployment as it was when a change is refused', async () => {
  await create('changed');
  const before = await eventually(async () => (await findDeployment('changed')) ?? false);
  await server.transport.request({
    method: 'PATCH',
    path: objectPath(sparseInferenceServices, keyOf('changed')),
    contentType: 'application/merge-patch+json',
    body: { spec: { server: pages } },
  });
  await serviceWhere('changed', (one) => conditionOf(one, 'Stalled')?.status === 'True');
  expect((await findDeployment('changed'))?.spec).toEqual(before.spec);
});

it('tells of a webhook that is down, and goes on when it is up', async () => {
  const webhook = await createDownWebhook(server, 'deployments', { 'sparsedm.io/service': 'hooked' });
  try {
    await create('hooked');
    const seen = await serviceWhere('hooked', (one) => conditionOf(one, 'DeploymentReady') !== undefined);
    expect(conditionOf(seen, 'DeploymentReady')).toMatchObject({ status: 'False', reason: 'InternalError' });
    expect(conditionOf(seen, 'DeploymentReady')?.message).toContain('failed calling webhook');
    expect(conditionOf(seen, 'Stalled')).toBeUndefined();
  } finally {
    await webhook.remove();
  }
  await eventually(async () => (await findDeployment('hooked')) !== undefined);
});
