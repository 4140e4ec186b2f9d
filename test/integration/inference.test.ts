import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sparseFinetunes, sparseInferenceServices, type SparseInferenceService } from '../../src/api/types';
import { ownerReference } from '../../src/kube/owner';
import {
  deployments,
  jobs,
  pods,
  services,
  type Deployment,
  type Pod,
  type Service,
} from '../../src/kube/resources';
import { buildDeployment } from '../../src/inference/deployment';
import { objectPath } from '../../src/runtime/objects';
import { POD_DEFAULTS } from '../../src/workload/pod';
import { coreEvents } from '../../src/workload/refused-pods';
import { eventually, type ApiServer } from './harness';
import {
  completeJob,
  conditionOf,
  createAccount,
  createPodOf,
  endPod,
  failJob,
  findJob,
  results,
  runFinetune,
  startOperator,
  succeedFinetune,
  writeStatus,
  writesOf,
  type RunningOperator,
  useOperator,
  mergeSpec,
} from './operator';
import { finetune, service, type Changes } from './specs';

let server: ApiServer;
let operator: RunningOperator;
const userAgent = `sparsedm-operator/${randomBytes(4).toString('hex')}`;

useOperator({ userAgent }, (opened, started) => {
  server = opened;
  operator = started;
});

const keyOf = (name: string) => ({ namespace: server.namespace, name });
const reference = (name: string, more: Changes = {}) => ({
  model: { uri: undefined, finetuneRef: { name }, ...more },
});

async function create(name: string, spec: Changes = {}): Promise<SparseInferenceService> {
  return server.client.create(sparseInferenceServices, service(name, server.namespace, spec), {
    fieldManager: 'test',
  });
}

const patchSpec = (name: string, spec: Changes) => mergeSpec(server, sparseInferenceServices, name, spec);

const findDeployment = (name: string) =>
  eventually(async () => (await server.client.get(deployments, keyOf(`${name}-server`))) ?? false);

const hasDeployment = async (name: string) =>
  (await server.client.get(deployments, keyOf(`${name}-server`))) !== undefined;

async function serviceWhere(
  name: string,
  meets: (one: SparseInferenceService) => boolean,
  timeoutMs = 15_000,
): Promise<SparseInferenceService> {
  let last: SparseInferenceService | undefined;
  try {
    return await eventually(
      async () => {
        last = await server.client.get(sparseInferenceServices, keyOf(name));
        return last !== undefined && meets(last) ? last : false;
      },
      { timeoutMs },
    );
  } catch (error) {
    const message = `SparseInferenceService ${name} is not as expected: ${JSON.stringify(last?.status, null, 1)}`;
    throw new Error(message, { cause: error });
  }
}

const reasonIs = (type: string, reason: string) => (one: SparseInferenceService) =>
  conditionOf(one, type)?.reason === reason;
const isReady = (one: SparseInferenceService) => conditionOf(one, 'Ready')?.status === 'True';

/** Plays the Deployment controller: every replica of the present template is available. */
async function rollOut(deployment: Deployment): Promise<void> {
  const live = await server.client.get(deployments, keyOf(deployment.metadata.name));
  const replicas = live?.spec?.replicas ?? 0;
  await writeStatus(server, deployments, deployment, {
    observedGeneration: live?.metadata.generation,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
  });
}

/** As kubectl would, with another field manager than the operator's. */
async function patchDeployment(name: string, spec: object): Promise<void> {
  await server.transport.request({
    method: 'PATCH',
    path: objectPath(deployments, keyOf(`${name}-server`)),
    query: { fieldManager: 'kubectl-edit' },
    contentType: 'application/strategic-merge-patch+json',
    body: { spec },
  });
}

/** What a field manager holds of an object by apply. */
function fieldsOf({ metadata }: Deployment, manager: string): Record<string, object> {
  const found = metadata.managedFields?.find(
    ({ manager: name, operation }) => name === manager && operation === 'Apply',
  );
  return { ...found?.fieldsV1 };
}

type OperatorEvent = { reason: string; note: string; regarding: { name: string } };

async function eventOf(name: string, reason: string): Promise<OperatorEvent | undefined> {
  const { items } = await server.transport.request<{ items: OperatorEvent[] }>({
    method: 'GET',
    path: `/apis/events.k8s.io/v1/namespaces/${server.namespace}/events`,
  });
  return items.find((event) => event.regarding.name === name && event.reason === reason);
}

async function createReady(name: string, spec: Changes = {}): Promise<Deployment> {
  await create(name, spec);
  const deployment = await findDeployment(name);
  await rollOut(deployment);
  await serviceWhere(name, isReady);
  return findDeployment(name);
}

async function patchFinetune(name: string, spec: Changes): Promise<void> {
  await server.transport.request({
    method: 'PATCH',
    path: objectPath(sparseFinetunes, keyOf(name)),
    contentType: 'application/merge-patch+json',
    body: { spec },
  });
}

/** With its Job and pod, as the garbage collector would. */
async function deleteFinetune(name: string): Promise<void> {
  await server.client.delete(sparseFinetunes, keyOf(name));
  await server.client.delete(jobs, keyOf(`${name}-train`));
  await server.client.delete(pods, keyOf(`${name}-train-a`), { gracePeriodSeconds: 0 });
}

describe('a service of a URI', () => {
  it('gets its Deployment and Service at once, and is ready with this generation’s pods', async () => {
    const made = await create('plain', {
      replicas: 2,
      engine: { steps: 10 },
      server: { resources: { limits: { memory: '2Gi' } } },
    });
    const deployment = await findDeployment('plain');
    const container = deployment.spec!.template.spec!.containers[0]!;
    const env = Object.fromEntries(container.env!.map(({ name, value }) => [name, value]));
    expect(deployment.spec).toMatchObject({ replicas: 2 });
    expect(container).toMatchObject({
      image: 'sparsedm/serving:test',
      resources: { limits: { memory: '2Gi' } },
    });
    expect(env).toMatchObject({
      SPARSEDM_MODEL: '/mnt/pvc/models/shirts',
      SPARSEDM_MODEL_NAME: 'plain',
      SPARSEDM_REPORT_URL: `http://sparsedm-operator.sparsedm-system.svc:8082/v1/services/${server.namespace}/plain/engine`,
    });
    expect(JSON.parse(env.SPARSEDM_ENGINE ?? '')).toMatchObject({
      backend: 'auto',
      steps: 10,
      maxBatchSize: 8,
    });
    expect(deployment.spec?.template.spec?.volumes).toContainEqual({
      name: 'claim-0',
      persistentVolumeClaim: { claimName: 'models', readOnly: true },
    });
    const network = await eventually(
      async () => (await server.client.get(services, keyOf('plain'))) ?? false,
    );
    expect(network.spec).toMatchObject({ ports: [{ port: 80, targetPort: 'http' }] });
    expect(network.metadata.ownerReferences).toEqual([ownerReference(made)]);

    const waiting = await serviceWhere('plain', ({ status }) => status?.url !== undefined);
    expect(conditionOf(waiting, 'Ready')?.status).not.toBe('True');
    await rollOut(deployment);
    const { status } = await serviceWhere('plain', isReady);
    expect(status).toMatchObject({
      observedGeneration: 1,
      phase: 'Ready',
      url: `http://plain.${server.namespace}.svc`,
      replicas: 2,
      readyReplicas: 2,
      desiredReplicas: 2,
      model: { uri: 'pvc://models/shirts' },
    });
  });

  it('shows a status at once', async () => {
    await create('quick');
    const { status } = await serviceWhere('quick', (one) => one.status?.observedGeneration === 1);
    expect(status?.phase).toBe('Pending');
  });

  it('makes pods that the restricted pod security standard admits', async () => {
    await create('restricted');
    const deployment = await findDeployment('restricted');
    const namespace = await server.createNamespace();
    await server.transport.request({
      method: 'PATCH',
      path: `/api/v1/namespaces/${namespace}`,
      contentType: 'application/merge-patch+json',
      body: { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } },
    });
    await createAccount(server, namespace);
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace },
      spec: deployment.spec!.template.spec!,
    };
    expect((await server.client.create(pods, pod)).metadata.uid).toBeDefined();
  });
});

describe('a service of a SparseFinetune', () => {
  it('waits for it, saying what for, then serves its model', async () => {
    await create('waits', reference('later'));
    const missing = await serviceWhere('waits', reasonIs('ModelReady', 'FinetuneNotFound'));
    expect(conditionOf(missing, 'ModelReady')?.message).toContain('There is no SparseFinetune later');
    expect(conditionOf(missing, 'Stalled')).toBeUndefined();
    const made = await server.client.create(
      sparseFinetunes,
      finetune('later', server.namespace, { suspend: true }),
      { fieldManager: 'test' },
    );
    const waiting = await serviceWhere('waits', reasonIs('ModelReady', 'WaitingForFinetune'));
    expect(conditionOf(waiting, 'Ready')).toMatchObject({ status: 'Unknown', reason: 'WaitingForFinetune' });
    expect(await hasDeployment('waits')).toBe(false);

    await patchFinetune('later', { suspend: false });
    const job = await findJob(server, 'later');
    const pod = await createPodOf(server, job, 'a');
    await endPod(server, pod, 0, results);
    await completeJob(server, job);
    const deployment = await findDeployment('waits');
    const env = Object.fromEntries(
      deployment.spec!.template.spec!.containers[0]!.env!.map(({ name, value }) => [name, value]),
    );
    expect(env).toMatchObject({
      SPARSEDM_MODEL: '/mnt/pvc/models/run',
      SPARSEDM_MODEL_SHA256: results.model.sha256,
    });
    await rollOut(deployment);
    const { status } = await serviceWhere('waits', isReady);
    expect(status?.model).toEqual({
      uri: results.model.uri,
      sha256: results.model.sha256,
      pattern: '2:4',
      finetune: { name: 'later', uid: made.metadata.uid },
      fid: {
        metric: 'fd-fashion-mnist-cnn',
        dense: '100.0',
        sparse: '102.5',
        increase: '2.5',
        precision: 'fp32',
        served: [{ precision: 'bf16', sparse: '103.5', increase: '3.5' }],
      },
      macs: { convention: 'linear', dense: 1000, sparse: 500, reductionPercent: '50.0' },
    });
  });

  it('gives no traffic to a model that failed its own gate', async () => {
    await succeedFinetune(server, 'ungated', { acceptance: { maxFidIncrease: '1' } });
    await create('unserved', reference('ungated'));
    const seen = await serviceWhere('unserved', reasonIs('QualityGatePassed', 'OutOfBounds'));
    expect(seen.status?.phase).toBe('Failed');
    expect(conditionOf(seen, 'Stalled')?.status).toBe('True');
    expect(await hasDeployment('unserved')).toBe(false);
  });

  it('has a gate of its own, and a person who widens it gets the model', async () => {
    await succeedFinetune(server, 'measured');
    await create('strict', { ...reference('measured'), qualityGate: { maxFidIncrease: '2' } });
    const seen = await serviceWhere('strict', reasonIs('QualityGatePassed', 'OutOfBounds'));
    expect(conditionOf(seen, 'QualityGatePassed')?.message).toContain('2.5, above 2');
    expect(await hasDeployment('strict')).toBe(false);
    await patchSpec('strict', { qualityGate: { maxFidIncrease: '3' } });
    await findDeployment('strict');
    const passed = await serviceWhere('strict', reasonIs('QualityGatePassed', 'WithinBounds'));
    expect(conditionOf(passed, 'Stalled')).toBeUndefined();
  });

  it('judges a model by its distance in the precision that is served', async () => {
    await succeedFinetune(server, 'rounded');
    const qualityGate = { maxFidIncrease: '3' };
    await create('in-16-bits', { ...reference('rounded'), engine: { precision: 'bf16' }, qualityGate });
    const seen = await serviceWhere('in-16-bits', reasonIs('QualityGatePassed', 'OutOfBounds'));
    expect(conditionOf(seen, 'QualityGatePassed')?.message).toBe(
      'The increase of fd-fashion-mnist-cnn in bf16 is 3.5, above 3.',
    );
    expect(await hasDeployment('in-16-bits')).toBe(false);
    await patchSpec('in-16-bits', { engine: { precision: 'fp32' } });
    const passed = await serviceWhere('in-16-bits', reasonIs('QualityGatePassed', 'WithinBounds'));
    expect(conditionOf(passed, 'QualityGatePassed')?.message).toBe(
      'The increase of fd-fashion-mnist-cnn in fp32 is 2.5, within 3.',
    );
    await findDeployment('in-16-bits');
  });

  it('goes on with what serves when the next model failed its gate', async () => {
    await succeedFinetune(server, 'worse', { acceptance: { maxFidIncrease: '1' } });
    const before = await createReady('goes-on', { replicas: 2 });
    await patchSpec('goes-on', { model: { uri: null, finetuneRef: { name: 'worse' } } });
    const seen = await serviceWhere('goes-on', reasonIs('UpToDate', 'OutOfBounds'));
    expect(conditionOf(seen, 'Ready')).toMatchObject({ status: 'True', reason: 'Serving' });
    expect(conditionOf(seen, 'UpToDate')?.status).toBe('False');
    expect(conditionOf(seen, 'Stalled')?.status).toBe('True');
    expect(seen.status).toMatchObject({
      phase: 'Degraded',
      readyReplicas: 2,
      model: { uri: 'pvc://models/shirts' },
    });
    const after = await findDeployment('goes-on');
    expect(after.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    await patchSpec('goes-on', { replicas: 3 });
    await eventually(async () => (await findDeployment('goes-on')).spec?.replicas === 3);
  });

  it('runs no pods of a model when its gate is narrowed', async () => {
    await succeedFinetune(server, 'narrowed');
    await createReady('narrow', { ...reference('narrowed'), qualityGate: { maxFidIncrease: '3' } });
    await patchSpec('narrow', { qualityGate: { maxFidIncrease: '1' } });
    await eventually(async () => (await findDeployment('narrow')).spec?.replicas === 0);
    const { status } = await serviceWhere('narrow', reasonIs('QualityGatePassed', 'OutOfBounds'));
    expect(status?.phase).toBe('Failed');
    expect(conditionOf({ status: status! }, 'DeploymentReady')?.message).not.toContain('0 replicas serve');
  });

  it('says when it failed', async () => {
    const { job, pod } = await runFinetune(server, 'broken');
    await endPod(server, pod, 4, { error: { reason: 'Diverged', message: 'The loss is not finite.' } });
    await failJob(server, job, 'PodFailurePolicy', 'exit code 4');
    await create('modelless', reference('broken'));
    const seen = await serviceWhere('modelless', reasonIs('ModelReady', 'FinetuneFailed'));
    expect(conditionOf(seen, 'ModelReady')?.message).toContain('The loss is not finite.');
  });

  it.each([
    ['stays', false],
    ['moves', true],
  ])('that is made again %s with it only when told to follow', async (name, follow) => {
    const tuned = `tuned-${name}`;
    await succeedFinetune(server, tuned);
    const before = await createReady(name, reference(tuned, { follow }));
    await deleteFinetune(tuned);
    await eventually(async () => (await server.client.get(sparseFinetunes, keyOf(tuned))) === undefined);
    const output = { uri: 'pvc://models/second' };
    const model = { ...output, sha256: 'd'.repeat(64) };
    await succeedFinetune(server, tuned, { output }, { ...results, model });
    if (follow) {
      const { status } = await serviceWhere(name, (one) => one.status?.wanted?.uri === 'pvc://models/second');
      expect(status?.phase).toBe('Updating');
      expect(status?.model?.uri).toBe(results.model.uri);
      const after = await findDeployment(name);
      expect(after.metadata.generation).toBeGreaterThan(before.metadata.generation!);
      await rollOut(after);
      await serviceWhere(name, (one) => one.status?.model?.uri === 'pvc://models/second');
    } else {
      await reconcileAgain(name);
      const { status } = await serviceWhere(name, isReady);
      expect(status?.model?.uri).toBe(results.model.uri);
      expect((await findDeployment(name)).metadata.generation).toBe(before.metadata.generation);
    }
  });
});

describe('a Deployment', () => {
  it('is scaled through the scale subresource without touching its template', async () => {
    const before = await createReady('scales');
    const path = `${objectPath(sparseInferenceServices, keyOf('scales'))}/scale`;
    await server.transport.request({
      method: 'PATCH',
      path,
      contentType: 'application/merge-patch+json',
      body: { spec: { replicas: 3 } },
    });
    const after = await eventually(async () => {
      const found = await findDeployment('scales');
      return found.spec?.replicas === 3 && found;
    });
    expect(after.spec?.template).toEqual(before.spec?.template);
    expect(fieldsOf(after, 'sparsedm-scaler')).toEqual({ 'f:spec': { 'f:replicas': {} } });
    await rollOut(after);
    await serviceWhere('scales', ({ status }) => status?.readyReplicas === 3);
    const scale = await server.transport.request<{ status: { replicas: number; selector: string } }>({
      method: 'GET',
      path,
    });
    const labels = after.spec?.template.metadata?.labels as Record<string, string>;
    expect(scale.status.replicas).toBe(3);
    for (const pair of scale.status.selector.split(',')) {
      const [key = '', value] = pair.split('=');
      expect(labels[key]).toBe(value);
    }
  });

  it('keeps its replicas when its template changes, which no longer holds them', async () => {
    const before = await createReady('apart', { replicas: 3 });
    await patchSpec('apart', { engine: { steps: 7 } });
    const after = await eventually(async () => {
      const found = await findDeployment('apart');
      return found.metadata.generation! > before.metadata.generation! && found;
    });
    expect(after.spec?.replicas).toBe(3);
    expect(fieldsOf(after, 'sparsedm-operator')['f:spec']).not.toHaveProperty('f:replicas');
  });

  it('is put back where somebody changes what the operator wrote, and keeps what they added', async () => {
    const before = await createReady('drifts', { server: { resources: { limits: { cpu: '0.5' } } } });
    const container = {
      name: 'server',
      image: 'evil:1',
      env: [{ name: 'SPARSEDM_MODEL', value: '/elsewhere' }],
      ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
      securityContext: { readOnlyRootFilesystem: false },
      readinessProbe: { periodSeconds: 60 },
    };
    const annotations = { 'kubectl.kubernetes.io/restartedAt': 'noon' };
    await server.transport.request({
      method: 'PATCH',
      path: objectPath(deployments, keyOf('drifts-server')),
      query: { fieldManager: 'kubectl-edit' },
      contentType: 'application/strategic-merge-patch+json',
      body: {
        spec: {
          strategy: { type: 'Recreate', rollingUpdate: null },
          template: {
            metadata: { annotations },
            spec: { terminationGracePeriodSeconds: 1, containers: [container] },
          },
        },
      },
    });
    const after = await eventually(async () => {
      const found = await findDeployment('drifts');
      return found.spec?.template.spec?.containers[0]?.image === 'sparsedm/serving:test' && found;
    });
    expect(after.spec).toEqual({
      ...before.spec,
      template: {
        ...before.spec!.template,
        metadata: { ...before.spec!.template.metadata, annotations },
      },
    });
    const told = await eventually(async () => (await eventOf('drifts', 'DriftRestored')) ?? false);
    expect(told.note).toContain('spec.template.spec.containers[server].image');
    expect(told.note).toContain('spec.strategy');
  });

  it('gets back the labels by which it is known', async () => {
    await createReady('unlabelled');
    await server.transport.request({
      method: 'PATCH',
      path: objectPath(deployments, keyOf('unlabelled-server')),
      contentType: 'application/merge-patch+json',
      body: { metadata: { labels: null } },
    });
    const label = 'app.kubernetes.io/managed-by';
    await eventually(async () => (await findDeployment('unlabelled')).metadata.labels?.[label] !== undefined);
  });

  it('is left alone by an operator of another version, which says how to change over', async () => {
    const before = await createReady('pinned');
    await operator.stop();
    operator = await startOperator(server, {
      userAgent,
      images: { trainer: 'sparsedm/trainer:next', server: 'sparsedm/serving:next' },
    });
    const seen = await serviceWhere('pinned', reasonIs('UpToDate', 'OlderImage'));
    expect(conditionOf(seen, 'UpToDate')).toMatchObject({ status: 'True' });
    const after = await findDeployment('pinned');
    expect(after.metadata.resourceVersion).toBe(before.metadata.resourceVersion);

    const imageOf = async () => (await findDeployment('pinned')).spec?.template.spec?.containers[0]?.image;
    await patchDeployment('pinned', {
      template: { spec: { containers: [{ name: 'server', image: 'evil:1' }] } },
    });
    await eventually(async () => (await imageOf()) === 'sparsedm/serving:test');

    await server.transport.request({
      method: 'PATCH',
      path: objectPath(sparseInferenceServices, keyOf('pinned')),
      contentType: 'application/merge-patch+json',
      body: { metadata: { annotations: { 'sparsedm.io/restarted-at': 'now' } } },
    });
    await eventually(async () => (await imageOf()) === 'sparsedm/serving:next');
    await rollOut(await findDeployment('pinned'));
    await serviceWhere('pinned', reasonIs('UpToDate', 'UpToDate'));
    await operator.stop();
    operator = await startOperator(server, { userAgent });
  });

  it('of an operator that kept no records is recorded as it is, and put back to that', async () => {
    await operator.stop();
    const made = await create('old');
    const { metadata, spec } = buildDeployment(made, made.spec.model, {
      image: 'sparsedm/serving:old',
      reportsUrl: 'http://old',
      podDefaults: POD_DEFAULTS,
    });
    const { minReadySeconds: _, ...rest } = spec!;
    const before = await server.client.apply(
      deployments,
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: rest },
      { fieldManager: 'sparsedm-operator' },
    );
    operator = await startOperator(server, { userAgent });
    const recorded = await eventually(async () => {
      const found = await findDeployment('old');
      return found.metadata.annotations?.['sparsedm.io/applied-spec'] !== undefined && found;
    });
    expect(recorded.spec).toEqual(before.spec);
    await patchDeployment('old', {
      minReadySeconds: 3,
      template: { spec: { terminationGracePeriodSeconds: 1 } },
    });
    const after = await eventually(async () => {
      const found = await findDeployment('old');
      return found.spec?.template.spec?.terminationGracePeriodSeconds === 300 && found;
    });
    expect(after.spec).toEqual({ ...before.spec, minReadySeconds: 3 });
  });

  it('follows the spec: Ready tells of the pods that serve, UpToDate of the new ones', async () => {
    const before = await createReady('changes', { server: { env: [{ name: 'A', value: '1' }] } });
    await patchSpec('changes', { engine: { steps: 5 }, server: { env: [] } });
    const after = await eventually(async () => {
      const found = await findDeployment('changes');
      return found.metadata.generation! > before.metadata.generation! && found;
    });
    expect(after.spec?.template.spec?.containers[0]?.env?.map(({ name }) => name)).not.toContain('A');
    const updating = await serviceWhere('changes', (one) => one.status?.observedGeneration === 2);
    expect(updating.status?.phase).toBe('Updating');
    expect(conditionOf(updating, 'Ready')?.status).toBe('True');
    expect(conditionOf(updating, 'UpToDate')?.status).toBe('Unknown');
    expect(conditionOf(updating, 'Reconciling')?.status).toBe('True');
    await rollOut(after);
    const done = await serviceWhere('changes', reasonIs('UpToDate', 'UpToDate'));
    expect(conditionOf(done, 'Reconciling')).toBeUndefined();
  });

  it('without replicas is as asked for, and says that nothing answers', async () => {
    await create('empty', { replicas: 0 });
    await rollOut(await findDeployment('empty'));
    const seen = await serviceWhere('empty', reasonIs('UpToDate', 'UpToDate'));
    expect(conditionOf(seen, 'Ready')).toMatchObject({ status: 'True', reason: 'ScaledToZero' });
    expect(conditionOf(seen, 'Ready')?.message).toContain('kubectl scale');
    expect(conditionOf(seen, 'Reconciling')).toBeUndefined();
  });

  it('of somebody else is not adopted', async () => {
    const labels = { app: 'other' };
    const foreign: Deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'taken-server', namespace: server.namespace },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'x' }] } },
      },
    };
    const before = await server.client.create(deployments, foreign, { fieldManager: 'somebody' });
    await create('taken');
    const seen = await serviceWhere('taken', reasonIs('DeploymentReady', 'NameConflict'));
    expect(conditionOf(seen, 'DeploymentReady')?.message).toContain('The Deployment taken-server exists');
    const after = await server.client.get(deployments, keyOf('taken-server'));
    expect(after?.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
  });

  it('whose server crashes shows the server’s own sentence', async () => {
    await create('crashes');
    const deployment = await findDeployment('crashes');
    const { template } = deployment.spec!;
    const pod = await server.client.create(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'crashes-server-x',
        namespace: server.namespace,
        labels: template.metadata!.labels as Record<string, string>,
      },
      spec: template.spec!,
    });
    const error = {
      reason: 'MaskDigestMismatch',
      message: 'The mask digest of the manifest is another one.',
    };
    const at = new Date().toISOString();
    await writeStatus(server, pods, pod, {
      phase: 'Running',
      containerStatuses: [
        {
          name: 'server',
          image: 'x',
          imageID: 'x',
          ready: false,
          restartCount: 1,
          state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s' } },
          lastState: {
            terminated: {
              exitCode: 3,
              reason: 'Error',
              message: JSON.stringify({ error }),
              startedAt: at,
              finishedAt: at,
            },
          },
        },
      ],
    });
    const seen = await serviceWhere('crashes', reasonIs('DeploymentReady', error.reason));
    expect(conditionOf(seen, 'DeploymentReady')).toMatchObject({ status: 'False', message: error.message });
  });
});

/** Plays the Deployment controller in a rollout whose first new pod is made. */
async function beginRollOut(name: string, changes: Changes): Promise<{ fresh: Pod; old: Pod }> {
  const before = await createReady(name, { server: { resources: { limits: { memory: '1Gi' } } } });
  const old = await createServerPod(before, 'a-old');
  await writeStatus(server, pods, old, {
    phase: 'Running',
    conditions: [podCondition('PodScheduled', 'True'), podCondition('Ready', 'True')],
  });
  await patchSpec(name, changes);
  const after = await eventually(async () => {
    const found = await findDeployment(name);
    return found.metadata.generation! > before.metadata.generation! && found;
  });
  await writeStatus(server, deployments, after, {
    observedGeneration: after.metadata.generation,
    replicas: 2,
    updatedReplicas: 1,
    readyReplicas: 1,
    availableReplicas: 1,
  });
  return { fresh: await createServerPod(after, 'b-new'), old };
}

const pastPatience = () => new Date(Date.now() - 60_000).toISOString();

function podCondition(type: string, status: string, reason = '', message = '') {
  return { type, status, reason, message, lastTransitionTime: pastPatience() };
}

async function createServerPod({ spec, metadata }: Deployment, template: string): Promise<Pod> {
  const labels = { ...spec!.template.metadata!.labels, 'pod-template-hash': template };
  return server.client.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `${metadata.name}-${template}`, namespace: server.namespace, labels },
    spec: spec!.template.spec!,
  });
}

const surges = async (name: string) =>
  (await findDeployment(name)).spec?.strategy?.rollingUpdate?.maxSurge === 1;

describe('a rollout', () => {
  it.each([
    ['the last GPU', 'gpu', '0/1 nodes are available: 1 Insufficient nvidia.com/gpu. preemption: 0/1 nodes.'],
    [
      'a claim that lets one pod in',
      'claim',
      '0/2 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode, 1 node(s) were unschedulable.',
    ],
  ])(
    'that waits for %s replaces its pods one by one, and the next one adds again',
    async (_, name, words) => {
      const { fresh, old } = await beginRollOut(name, { engine: { steps: 9 } });
      await writeStatus(server, pods, fresh, {
        conditions: [podCondition('PodScheduled', 'False', 'Unschedulable', words)],
      });
      await eventually(async () => !(await surges(name)));
      const { spec } = await findDeployment(name);
      expect(spec?.strategy?.rollingUpdate).toEqual({ maxSurge: 0, maxUnavailable: 1 });
      const seen = await serviceWhere(name, reasonIs('UpToDate', 'Replacing'));
      expect(conditionOf(seen, 'Reconciling')?.status).toBe('True');
      const told = await eventually(async () => (await eventOf(name, 'Replacing')) ?? false);
      expect(told.note).toContain(words);
      await server.client.delete(pods, keyOf(old.metadata.name), { gracePeriodSeconds: 0 });
      await writeStatus(server, pods, fresh, {
        phase: 'Running',
        conditions: [podCondition('PodScheduled', 'True'), podCondition('Ready', 'True')],
      });
      await rollOut(await findDeployment(name));
      await eventually(async () => surges(name));
      await rollOut(await findDeployment(name));
      await serviceWhere(name, reasonIs('UpToDate', 'UpToDate'));
    },
  );

  it('that waits for a volume of another node replaces its pods one by one', async () => {
    const { fresh } = await beginRollOut('volume', { engine: { steps: 9 } });
    const { name, namespace = '', uid = '' } = fresh.metadata;
    const message =
      'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) volume-server-a-old';
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.1`, namespace },
      reason: 'FailedAttachVolume',
      message,
      type: 'Warning',
      involvedObject: { apiVersion: 'v1', kind: 'Pod', name, namespace, uid },
    };
    await server.client.create(coreEvents, event);
    await writeStatus(server, pods, fresh, {
      conditions: [podCondition('PodScheduled', 'True'), podCondition('PodReadyToStartContainers', 'False')],
    });
    await eventually(async () => !(await surges('volume')));
    expect((await eventually(async () => (await eventOf('volume', 'Replacing')) ?? false)).note).toContain(
      message,
    );
  });

  it('that no leaving pod would help keeps the one that serves', async () => {
    const { fresh } = await beginRollOut('hopeless', { server: { nodeSelector: { disk: 'none' } } });
    const words = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
    await writeStatus(server, pods, fresh, {
      conditions: [podCondition('PodScheduled', 'False', 'Unschedulable', words)],
    });
    const seen = await serviceWhere('hopeless', reasonIs('UpToDate', 'Unschedulable'));
    expect(conditionOf(seen, 'UpToDate')?.message).toContain(words);
    expect(conditionOf(seen, 'Ready')?.status).toBe('True');
    await reconcileAgain('hopeless');
    expect(await surges('hopeless')).toBe(true);
  });
});

describe('a Service', () => {
  const foreign = (name: string): Service => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: server.namespace },
    spec: { ports: [{ port: 5432 }] },
  });

  it('of somebody else is not adopted, and the service takes the name when it goes', async () => {
    const before = await server.client.create(services, foreign('database'), { fieldManager: 'somebody' });
    await create('database');
    const seen = await serviceWhere('database', reasonIs('DeploymentReady', 'NameConflict'));
    expect(conditionOf(seen, 'DeploymentReady')?.message).toContain('The Service database exists');
    expect(seen.status?.url).toBeUndefined();
    const kept = await server.client.get(services, keyOf('database'));
    expect(kept?.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    await server.client.delete(services, keyOf('database'));
    await serviceWhere('database', ({ status }) => status?.url !== undefined, 20_000);
  });

  it('that is deleted or changed comes back as it was', async () => {
    await createReady('restored');
    await server.client.delete(services, keyOf('restored'));
    const again = await eventually(
      async () => (await server.client.get(services, keyOf('restored'))) ?? false,
    );
    await server.transport.request({
      method: 'PATCH',
      path: objectPath(services, keyOf('restored')),
      contentType: 'application/merge-patch+json',
      body: { spec: { selector: { app: 'other' } } },
    });
    await eventually(async () => {
      const found = await server.client.get(services, keyOf('restored'));
      return JSON.stringify(found?.spec?.selector) === JSON.stringify(again.spec?.selector);
    });
  });
});

/** Makes the operator reconcile the object again, and waits until it has. */
async function reconcileAgain(name: string): Promise<void> {
  const total = async () =>
    (await operator.metrics.controller.reconciles.get()).values
      .filter(({ labels }) => labels.controller === 'sparseinferenceservice')
      .reduce((sum, { value }) => sum + value, 0);
  const before = await total();
  await server.transport.request({
    method: 'PATCH',
    path: objectPath(sparseInferenceServices, keyOf(name)),
    contentType: 'application/merge-patch+json',
    body: { metadata: { annotations: { touched: randomBytes(4).toString('hex') } } },
  });
  await eventually(async () => (await total()) > before);
}

describe('a second pass', () => {
  it('writes nothing', async () => {
    await createReady('again');
    await reconcileAgain('again');
    const state = async () => [
      (await findDeployment('again')).metadata.resourceVersion,
      (await server.client.get(services, keyOf('again')))?.metadata.resourceVersion,
      (await writesOf(userAgent, server.namespace)).filter((line) => line.includes('again')).length,
    ];
    const before = await state();
    await reconcileAgain('again');
    await reconcileAgain('again');
    expect(await state()).toEqual(before);
  });
});
