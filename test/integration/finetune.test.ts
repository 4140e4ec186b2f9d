import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sparseFinetunes, type SparseFinetune } from '../../src/api/types';
import { jobs, pods as podsResource, services, type Job, type Service } from '../../src/kube/resources';
import { objectPath, type KubeObject, type Resource } from '../../src/runtime/objects';
import { eventually, type ApiServer } from './harness';
import {
  completeJob,
  conditionOf,
  createAccount,
  createDownWebhook,
  createPodOf,
  endPod,
  failJob,
  findJob,
  finetuneWhere,
  isFinished,
  jobKey,
  results,
  runFinetune,
  runPod,
  startOperator,
  succeedFinetune,
  writeStatus,
  writesOf,
  type RunningOperator,
  useOperator,
  mergeSpec,
} from './operator';
import { startQueueWebhook } from './queue-webhook';
import { finetune, type Changes } from './specs';

type Plain = KubeObject & { [field: string]: unknown };

const plain = (group: string, plural: string, kind: string): Resource<Plain> => ({
  group,
  version: 'v1',
  plural,
  kind,
  namespaced: true,
});
const quotas = plain('', 'resourcequotas', 'ResourceQuota');
const coreEvents = plain('', 'events', 'Event');
const newEvents: Resource<Plain> = plain('events.k8s.io', 'events', 'Event');

let server: ApiServer;
let operator: RunningOperator;
const userAgent = `sparsedm-operator/${randomBytes(4).toString('hex')}`;

useOperator({ userAgent }, (opened, started) => {
  server = opened;
  operator = started;
});

const keyOf = (name: string) => ({ namespace: server.namespace, name });

async function create(name: string, spec: Changes = {}): Promise<SparseFinetune> {
  return server.client.create(sparseFinetunes, finetune(name, server.namespace, spec), {
    fieldManager: 'test',
  });
}

const patchSpec = (name: string, spec: Changes) => mergeSpec(server, sparseFinetunes, name, spec);

const createRunning = (name: string, spec: Changes = {}) => runFinetune(server, name, spec);
const createSucceeded = (name: string, spec: Changes = {}) => succeedFinetune(server, name, spec);

/** Makes the operator reconcile the object again, and waits until it has. */
async function reconcileAgain(name: string): Promise<void> {
  const metric = operator.metrics.controller.reconciles;
  const total = async () =>
    (await metric.get()).values
      .filter(({ labels }) => labels.controller === 'sparsefinetune')
      .reduce((sum, { value }) => sum + value, 0);
  const before = await total();
  await server.transport.request({
    method: 'PATCH',
    path: objectPath(sparseFinetunes, keyOf(name)),
    contentType: 'application/merge-patch+json',
    body: { metadata: { annotations: { touched: randomBytes(4).toString('hex') } } },
  });
  await eventually(async () => (await total()) > before);
}

const countJobs = async (name: string) =>
  (await server.client.get(jobs, jobKey(name, server.namespace))) === undefined ? 0 : 1;

describe('a new SparseFinetune', () => {
  it('gets its Job and a first status', async () => {
    const made = await create('fresh');
    const seen = await finetuneWhere(server, 'fresh', ({ status }) => status?.phase !== undefined);
    expect(seen.status).toMatchObject({ observedGeneration: 1, phase: 'Pending' });
    const job = await findJob(server, 'fresh');
    expect(job.metadata.ownerReferences).toEqual([
      {
        apiVersion: 'sparsedm.io/v1alpha1',
        kind: 'SparseFinetune',
        name: 'fresh',
        uid: made.metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ]);
    expect(job.spec).toMatchObject({ suspend: false, backoffLimit: 3, completions: 1, parallelism: 1 });
    expect(conditionOf(seen, 'Finished')).toMatchObject({ status: 'False', observedGeneration: 1 });
  });

  it('makes pods that the restricted pod security standard admits', async () => {
    const near = { labelSelector: { matchLabels: { app: 'cache' } }, topologyKey: 'kubernetes.io/hostname' };
    const trainer = {
      schedulerName: 'gang',
      securityContext: { runAsUser: 2000, runAsGroup: 2000, fsGroup: 2000, supplementalGroups: [3000] },
      envFrom: [{ prefix: 'WANDB_', secretRef: { name: 'wandb' } }, { configMapRef: { name: 'common' } }],
      volumes: [
        { name: 'scratch', emptyDir: { sizeLimit: '20Gi' } },
        { name: 'settings', configMap: { name: 'settings' } },
        { name: 'keys', secret: { secretName: 'keys' } },
        { name: 'shared', persistentVolumeClaim: { claimName: 'shared', readOnly: true } },
      ],
      volumeMounts: [
        { name: 'scratch', mountPath: '/scratch' },
        { name: 'settings', mountPath: '/etc/settings/one.json', subPath: 'one.json', readOnly: true },
      ],
      affinity: {
        podAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 10, podAffinityTerm: near }],
        },
        podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [near] },
      },
      topologySpreadConstraints: [
        { topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule' },
      ],
    };
    await create('restricted', { trainer });
    const job = await findJob(server, 'restricted');
    const { template } = job.spec!;
    expect(template.spec).toMatchObject({
      schedulerName: 'gang',
      securityContext: { runAsNonRoot: true, ...trainer.securityContext },
      affinity: trainer.affinity,
      topologySpreadConstraints: [
        {
          ...trainer.topologySpreadConstraints[0],
          maxSkew: 1,
          labelSelector: { matchLabels: { 'sparsedm.io/finetune': 'restricted' } },
        },
      ],
      containers: [{ envFrom: trainer.envFrom }],
    });
    expect(template.spec?.containers[0]?.volumeMounts).toEqual(
      expect.arrayContaining(trainer.volumeMounts.map((mount) => expect.objectContaining(mount) as object)),
    );
    expect(template.spec?.volumes).toEqual(
      expect.arrayContaining(trainer.volumes.map(({ name }) => expect.objectContaining({ name }) as object)),
    );
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
      spec: job.spec!.template.spec!,
    };
    expect((await server.client.create(podsResource, pod)).metadata.uid).toBeDefined();
  });

  it('is running once its pod runs, in the first attempt', async () => {
    await createRunning('running');
    const { status } = await finetuneWhere(server, 'running', (one) => one.status?.phase === 'Running');
    expect(status?.attempts).toMatchObject({ number: 1 });
    expect(status?.startTime).toBeUndefined();
    expect(status?.jobUid).toBe((await findJob(server, 'running')).metadata.uid);
    const conditions = Object.fromEntries(
      status!.conditions!.map(({ type, status: value }) => [type, value]),
    );
    expect(conditions).toEqual({
      JobReady: 'True',
      Training: 'True',
      Reporting: 'Unknown',
      QualityGatePassed: 'Unknown',
      Suspended: 'False',
      Succeeded: 'Unknown',
      Finished: 'False',
    });
  });

  it('says why its pod can not start, in the words of scheduler and kubelet', async () => {
    await create('blocked');
    const pod = await createPodOf(server, await findJob(server, 'blocked'), 'a');
    const message = '0/1 nodes are available: persistentvolumeclaim "models" not found.';
    await writeStatus(server, podsResource, pod, {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
    });
    const seen = await finetuneWhere(
      server,
      'blocked',
      (one) => conditionOf(one, 'JobReady')?.reason === 'Unschedulable',
    );
    expect(conditionOf(seen, 'JobReady')).toMatchObject({ status: 'False', message });
    expect(conditionOf(seen, 'Stalled')).toBeUndefined();
  });
});

describe('a SparseFinetune that succeeds', () => {
  it('takes its results from the last word of its pod', async () => {
    const { status } = await createSucceeded('success');
    expect(status).toMatchObject({
      phase: 'Succeeded',
      ...results,
      progress: { percent: 100, display: '100%', step: 300, totalSteps: 300 },
    });
    expect(status?.completionTime).toBeDefined();
    const conditions = Object.fromEntries(
      status!.conditions!.map(({ type, status: value, reason }) => [type, `${value} ${reason}`]),
    );
    expect(conditions).toMatchObject({
      Succeeded: 'True Succeeded',
      Finished: 'True Succeeded',
      QualityGatePassed: 'True NoGate',
      Training: 'False Succeeded',
    });
    expect(conditions.Stalled).toBeUndefined();
  });

  it.each([
    [
      'passes',
      { maxFidIncrease: '3.5', maxFidIncreasePercent: 4, minMacsReductionPercent: 50 },
      'True',
      'WithinBounds',
      'in bf16 is 3.5, within 3.5',
    ],
    ['breaks-in-16-bits', { maxFidIncrease: '2.5' }, 'False', 'OutOfBounds', 'in bf16 is 3.5, above 2.5'],
    ['breaks-absolute', { maxFidIncrease: '2.4' }, 'False', 'OutOfBounds', '2.5, above 2.4'],
    ['breaks-relative', { maxFidIncreasePercent: 2 }, 'False', 'OutOfBounds', '2.5 %, above 2 %'],
    ['breaks-macs', { minMacsReductionPercent: 51 }, 'False', 'OutOfBounds', '50 %, below 51 %'],
  ])('%s its gate, and has succeeded all the same', async (name, acceptance, want, reason, words) => {
    const done = await createSucceeded(name, { acceptance });
    expect(conditionOf(done, 'QualityGatePassed')).toMatchObject({ status: want, reason });
    expect(conditionOf(done, 'QualityGatePassed')?.message).toContain(words);
    expect(conditionOf(done, 'Succeeded')?.status).toBe('True');
  });

  it('does so too when it ended while no operator ran', async () => {
    const { job, pod } = await createRunning('unwatched');
    await finetuneWhere(server, 'unwatched', (one) => one.status?.phase === 'Running');
    await operator.stop();
    await endPod(server, pod, 0, results);
    await completeJob(server, job);
    operator = await startOperator(server, { userAgent });
    const { status } = await finetuneWhere(server, 'unwatched', isFinished);
    expect(status).toMatchObject({ phase: 'Succeeded', model: results.model });
  });

  it('never gets another Job, even when somebody deletes the last one', async () => {
    await createSucceeded('over');
    await server.client.delete(jobs, jobKey('over', server.namespace));
    await reconcileAgain('over');
    expect(await countJobs('over')).toBe(0);
    const { status } = await finetuneWhere(server, 'over', isFinished);
    expect(status?.phase).toBe('Succeeded');
  });

  it('is deleted when its time to live has passed', async () => {
    await createSucceeded('expires'); // its end is seen before the time to live is set
    await patchSpec('expires', { ttlSecondsAfterFinished: 1 });
    await eventually(async () => (await server.client.get(sparseFinetunes, keyOf('expires'))) === undefined);
  });

  it('honestly fails when nothing says what came out', async () => {
    const { job, pod } = await createRunning('silent');
    await endPod(server, pod, 0, 'no JSON');
    await completeJob(server, job);
    const done = await finetuneWhere(server, 'silent', isFinished);
    expect(conditionOf(done, 'Succeeded')).toMatchObject({ status: 'False', reason: 'ResultsMissing' });
  });
});

describe('a SparseFinetune that fails', () => {
  it.each([
    [
      'digest',
      3,
      JSON.stringify({
        error: { reason: 'PretrainedDigestMismatch', message: 'The file has another digest.' },
      }),
      undefined,
      'PodFailurePolicy',
      { reason: 'PretrainedDigestMismatch', message: 'The file has another digest.' },
    ],
    [
      'memory',
      137,
      undefined,
      'OOMKilled',
      'BackoffLimitExceeded',
      { reason: 'OOMKilled', message: 'raise spec.trainer.resources.limits.memory' },
    ],
    [
      'trace',
      1,
      'Traceback:\nValueError: broken',
      undefined,
      'BackoffLimitExceeded',
      { reason: 'TrainerFailed', message: 'exit code 1: ValueError: broken' },
    ],
    [
      'deadline',
      143,
      undefined,
      undefined,
      'DeadlineExceeded',
      { reason: 'DeadlineExceeded', message: 'activeDeadlineSeconds (60 s)' },
    ],
  ])('says why: %s', async (name, exitCode, message, podReason, jobReason, want) => {
    const { job, pod } = await createRunning(name, { activeDeadlineSeconds: 60 });
    await endPod(server, pod, exitCode, message, podReason);
    await failJob(server, job, jobReason, 'The Job failed.');
    const done = await finetuneWhere(server, name, isFinished);
    expect(done.status?.phase).toBe('Failed');
    expect(conditionOf(done, 'Succeeded')).toMatchObject({ status: 'False', reason: want.reason });
    expect(conditionOf(done, 'Succeeded')?.message).toContain(want.message);
    expect(conditionOf(done, 'Finished')).toMatchObject({ status: 'True', reason: 'Failed' });
    expect(conditionOf(done, 'Stalled')).toMatchObject({ status: 'True', reason: want.reason });
    const event = await eventually(async () => {
      const found = await server.client.list(newEvents, { namespace: server.namespace });
      return (
        found.find(
          (each) => (each.regarding as { name: string }).name === name && each.reason === want.reason,
        ) ?? false
      );
    });
    expect(event.type).toBe('Warning');
  });

  it.each([
    ['meshed', 0, 'Succeeded', JSON.stringify(results)],
    [
      'meshed-final',
      3,
      'Failed',
      JSON.stringify({ error: { reason: 'DatasetNotFound', message: 'No data.' } }),
    ],
  ])('or succeeds beside a sidecar that never ends: %s', async (name, exitCode, want, message) => {
    await create(name);
    const job = await findJob(server, name);
    const { template } = job.spec!;
    const proxy = { ...template.spec!.containers[0]!, name: 'proxy' };
    const spec = { ...template.spec!, containers: [...template.spec!.containers, proxy] };
    const meshed = { ...job, spec: { ...job.spec!, template: { ...template, spec } } };
    const pod = await createPodOf(server, meshed, 'a');
    // Longer ago than a sidecar may take to notice.
    const at = new Date(Date.now() - 60_000).toISOString();
    const shared = { image: 'x', imageID: 'x', ready: false, restartCount: 0 };
    const ended = { exitCode, message, reason: 'x', startedAt: at, finishedAt: at };
    await writeStatus(server, podsResource, pod, {
      phase: 'Running',
      startTime: at,
      containerStatuses: [
        { ...shared, name: 'trainer', state: { terminated: ended } },
        { ...shared, name: 'proxy', state: { running: { startedAt: at } } },
      ],
    });
    const done = await finetuneWhere(server, name, isFinished);
    expect(done.status?.phase).toBe(want);
    expect(conditionOf(done, 'JobReady')).toMatchObject({ status: 'False', reason: 'SidecarRuns' });
    expect(conditionOf(done, 'JobReady')?.message).toContain('container proxy');
    // Later it ends after all.
    await server.client.delete(podsResource, keyOf(pod.metadata.name), { gracePeriodSeconds: 0 });
    const after = await finetuneWhere(server, name, (one) => conditionOf(one, 'JobReady')?.status === 'True');
    expect(after.status?.phase).toBe(want);
  });

  it('counts the attempts before it, and tells of each', async () => {
    const { job, pod } = await createRunning('retries');
    await endPod(server, pod, 1, 'lost');
    const retrying = await finetuneWhere(
      server,
      'retries',
      (one) => conditionOf(one, 'Training')?.reason === 'Retrying',
    );
    expect(retrying.status?.attempts).toMatchObject({ number: 1, lastExitReason: 'TrainerFailed' });
    const second = await createPodOf(server, job, 'b');
    await runPod(server, second);
    const running = await finetuneWhere(server, 'retries', (one) => one.status?.phase === 'Running');
    expect(running.status?.attempts?.number).toBe(2);
  });
});

describe('a Job', () => {
  it('that is deleted before the end comes again, and the attempts go on', async () => {
    const { job, pod } = await createRunning('deleted');
    await finetuneWhere(server, 'deleted', (one) => one.status?.attempts?.number === 1);
    await server.client.delete(jobs, jobKey('deleted', server.namespace));
    await server.client.delete(podsResource, keyOf(pod.metadata.name), { gracePeriodSeconds: 0 });
    const second = await eventually(async () => {
      const found = await server.client.get(jobs, jobKey('deleted', server.namespace));
      return found !== undefined && found.metadata.uid !== job.metadata.uid ? found : false;
    });
    await runPod(server, await createPodOf(server, second, 'b'));
    const { status } = await finetuneWhere(server, 'deleted', (one) => one.status?.attempts?.number === 2);
    expect(status?.jobUid).toBe(second.metadata.uid);
  });

  /** Waits until the run is held by the pod, and tells the condition's message. */
  const held = async (name: string, pod: string) => {
    const seen = await finetuneWhere(
      server,
      name,
      (one) => conditionOf(one, 'JobReady')?.reason === 'EarlierPodRuns',
    );
    const { message = '' } = conditionOf(seen, 'JobReady') ?? {};
    expect(message).toContain(`pod ${pod}`);
    await reconcileAgain(name);
    expect(await countJobs(name)).toBe(0);
    return message;
  };
  const warned = (name: string) =>
    eventually(async () => {
      const found = await server.client.list(newEvents, { namespace: server.namespace });
      return found.some(
        (each) => (each.regarding as { name: string }).name === name && each.reason === 'EarlierPodRuns',
      );
    });

  it('that is deleted in the background does not come again before its pod has ended', async () => {
    const { pod } = await createRunning('background');
    await finetuneWhere(server, 'background', (one) => one.status?.phase === 'Running');
    await server.client.delete(jobs, jobKey('background', server.namespace));
    await held('background', pod.metadata.name);
    await warned('background');
    await endPod(server, pod, 143);
    await eventually(async () => (await countJobs('background')) === 1);
  });

  it('that leaves an orphan behind does not come again before the orphan has ended', async () => {
    const { pod } = await createRunning('orphan');
    await finetuneWhere(server, 'orphan', (one) => one.status?.phase === 'Running');
    // As the garbage collector does for kubectl delete --cascade=orphan.
    await server.transport.request({
      method: 'PATCH',
      path: objectPath(podsResource, keyOf(pod.metadata.name)),
      contentType: 'application/merge-patch+json',
      body: { metadata: { ownerReferences: null } },
    });
    await server.client.delete(jobs, jobKey('orphan', server.namespace));
    expect(await held('orphan', pod.metadata.name)).toContain(`kubectl delete pod ${pod.metadata.name}`);
    await server.client.delete(podsResource, keyOf(pod.metadata.name), { gracePeriodSeconds: 0 });
    await eventually(async () => (await countJobs('orphan')) === 1);
  });

  it('of a SparseFinetune that is deleted and applied again waits for the former one’s pod', async () => {
    const { pod } = await createRunning('again');
    await finetuneWhere(server, 'again', (one) => one.status?.phase === 'Running');
    await server.client.delete(sparseFinetunes, keyOf('again'));
    await server.client.delete(jobs, jobKey('again', server.namespace));
    await create('again');
    await held('again', pod.metadata.name);
    const { status } = (await server.client.get(sparseFinetunes, keyOf('again')))!;
    expect(status?.attempts).toBeUndefined();
    await server.client.delete(podsResource, keyOf(pod.metadata.name), { gracePeriodSeconds: 0 });
    const job = await findJob(server, 'again');
    await runPod(server, await createPodOf(server, job, 'b'));
    const running = await finetuneWhere(server, 'again', (one) => one.status?.phase === 'Running');
    expect(running.status?.attempts?.number).toBe(1);
  });

  it('replaces a pod only when it has ended', async () => {
    await create('replacing');
    expect((await findJob(server, 'replacing')).spec?.podReplacementPolicy).toBe('Failed');
  });

  it('is made anew for another trainer until a pod has started', async () => {
    await create('typo', { trainer: { image: 'registry/trainer:tpyo' } });
    const { metadata } = await findJob(server, 'typo');
    await patchSpec('typo', { trainer: { image: 'registry/trainer:1' } });
    // In the place of the garbage collector, which deletes the Job once its pods are gone.
    await eventually(async () => (await findJob(server, 'typo')).metadata.deletionTimestamp !== undefined);
    await server.transport.request({
      method: 'PATCH',
      path: objectPath(jobs, jobKey('typo', server.namespace)),
      contentType: 'application/merge-patch+json',
      body: { metadata: { finalizers: null } },
    });
    const job = await eventually(async () => {
      const found = await server.client.get(jobs, jobKey('typo', server.namespace));
      return found !== undefined && found.metadata.uid !== metadata.uid && found;
    });
    expect(job.spec?.template.spec?.containers[0]?.image).toBe('registry/trainer:1');
    await runPod(server, await createPodOf(server, job, 'a'));
    await finetuneWhere(server, 'typo', ({ status }) => status?.attempts?.startedAt !== undefined);
    await expect(patchSpec('typo', { trainer: { image: 'registry/trainer:2' } })).rejects.toThrow(
      'spec.trainer is immutable once a pod of the run has started',
    );
  });

  it('of two pods has a Service, unless somebody else has its name', async () => {
    await create('pair', { trainer: { nodes: 2 } });
    const job = await findJob(server, 'pair');
    expect(job.spec).toMatchObject({ completionMode: 'Indexed', completions: 2, parallelism: 2 });
    const service = await server.client.get(services, jobKey('pair', server.namespace));
    expect(service?.spec).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true });
    expect(service?.metadata.ownerReferences).toEqual(job.metadata.ownerReferences);

    const foreign = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'clash-train', namespace: server.namespace },
      spec: { ports: [{ port: 80 }] },
    } as Service;
    await server.client.create(services, foreign, { fieldManager: 'somebody' });
    await create('clash', { trainer: { nodes: 2 } });
    const seen = await finetuneWhere(
      server,
      'clash',
      (one) => conditionOf(one, 'JobReady')?.reason === 'NameConflict',
    );
    expect(conditionOf(seen, 'JobReady')?.message).toContain('The Service clash-train');
    expect(await countJobs('clash')).toBe(0);
  });

  it('of somebody else is not adopted, and its name is taken when it goes', async () => {
    const foreign: Job = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'taken-train', namespace: server.namespace },
      spec: {
        suspend: true,
        template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'x' }] } },
      },
    };
    const before = await server.client.create(jobs, foreign, { fieldManager: 'somebody' });
    await create('taken');
    const seen = await finetuneWhere(
      server,
      'taken',
      (one) => conditionOf(one, 'JobReady')?.reason === 'NameConflict',
    );
    expect(conditionOf(seen, 'JobReady')?.message).toContain(
      'The Job taken-train exists and belongs to another owner',
    );
    expect(seen.status?.jobUid).toBeUndefined();
    expect(await server.client.get(jobs, jobKey('taken', server.namespace))).toEqual(before);
    await server.client.delete(jobs, jobKey('taken', server.namespace));
    await eventually(async () => (await countJobs('taken')) === 1, { timeoutMs: 20_000 });
  });

  it('follows suspend, backoffLimit and the deadline, also when it is taken away', async () => {
    await createRunning('controlled', { activeDeadlineSeconds: 600 });
    await eventually(async () => (await findJob(server, 'controlled')).spec?.activeDeadlineSeconds === 600);
    const { template } = (await findJob(server, 'controlled')).spec!;
    await patchSpec('controlled', { activeDeadlineSeconds: null, backoffLimit: 7 });
    const job = await eventually(async () => {
      const found = await findJob(server, 'controlled');
      return found.spec?.backoffLimit === 7 && found;
    });
    expect(job.spec?.activeDeadlineSeconds).toBeUndefined();
    expect(job.spec?.template).toEqual(template);
  });

  it('stops and goes on with suspend', async () => {
    const { job, pod } = await createRunning('paused');
    await patchSpec('paused', { suspend: true });
    await eventually(async () => (await findJob(server, 'paused')).spec?.suspend === true);
    const stopping = await finetuneWhere(server, 'paused', (one) => one.status?.phase === 'Suspended');
    expect(conditionOf(stopping, 'Suspended')?.status).toBe('False');
    await server.client.delete(podsResource, keyOf(pod.metadata.name), { gracePeriodSeconds: 0 });
    await finetuneWhere(server, 'paused', (one) => conditionOf(one, 'Suspended')?.status === 'True');
    await patchSpec('paused', { suspend: false });
    await eventually(async () => (await findJob(server, 'paused')).spec?.suspend === false);
    await runPod(server, await createPodOf(server, job, 'b'));
    const again = await finetuneWhere(server, 'paused', (one) => one.status?.phase === 'Running');
    expect(again.status?.attempts?.number).toBe(2);
    expect(conditionOf(again, 'Suspended')?.status).toBe('False');
  });

  describe('that somebody else suspends', () => {
    const suspend = (name: string, value: boolean, manager: string) =>
      server.transport.request({
        method: 'PATCH',
        path: objectPath(jobs, jobKey(name, server.namespace)),
        query: { fieldManager: manager },
        contentType: 'application/merge-patch+json',
        body: { spec: { suspend: value } },
      });
    const writes = async (name: string) =>
      (await writesOf(userAgent, server.namespace)).filter((line) => line.includes(name)).length;
    const heldBySomebody = async (name: string) => {
      const seen = await finetuneWhere(
        server,
        name,
        (one) => conditionOf(one, 'Training')?.reason === 'HeldByOthers',
      );
      expect(seen.status?.phase).toBe('Suspended');
      await reconcileAgain(name); // the audit log lags behind the API
      const before = await writes(name);
      await reconcileAgain(name);
      await reconcileAgain(name);
      expect(await writes(name)).toBe(before);
      expect((await findJob(server, name)).spec?.suspend).toBe(true);
      return conditionOf(seen, 'Training')?.message;
    };

    it('as it is made stays so until it is let go', async () => {
      const webhook = await startQueueWebhook(server, ['queued']);
      try {
        await create('queued');
        expect(await heldBySomebody('queued')).toContain('admission webhook');
        await suspend('queued', false, 'queue');
        await runPod(server, await createPodOf(server, await findJob(server, 'queued'), 'a'));
        await finetuneWhere(server, 'queued', (one) => one.status?.phase === 'Running');
        expect((await findJob(server, 'queued')).spec?.suspend).toBe(false);
      } finally {
        await webhook.stop();
      }
    });

    it('while it runs stays so, and tells by whom', async () => {
      const { job, pod } = await createRunning('preempted');
      const eta = { remainingSeconds: 60, eta: '1m00s', phase: 'training', samplesPerSecond: '9.0' };
      const running = await finetuneWhere(server, 'preempted', (one) => one.status?.phase === 'Running');
      const progress = { step: 7, percent: 3, ...eta };
      await writeStatus(server, sparseFinetunes, running, { progress });
      await suspend('preempted', true, 'queue');
      await server.client.delete(podsResource, keyOf(pod.metadata.name), { gracePeriodSeconds: 0 });
      expect(await heldBySomebody('preempted')).toContain('The field manager "queue" has suspended the Job');
      const seen = await finetuneWhere(
        server,
        'preempted',
        (one) => conditionOf(one, 'Suspended')?.status === 'True',
      );
      expect(seen.status?.progress).toEqual({ step: 7, percent: 3 });
      await suspend('preempted', false, 'queue');
      await runPod(server, await createPodOf(server, job, 'b'));
      const again = await finetuneWhere(server, 'preempted', (one) => one.status?.phase === 'Running');
      expect(again.status?.attempts?.number).toBe(2);
    });

    it('and the spec too stays suspended when the spec no longer asks for it', async () => {
      await createRunning('both');
      await suspend('both', true, 'queue');
      await heldBySomebody('both');
      await patchSpec('both', { suspend: true });
      await finetuneWhere(server, 'both', (one) => conditionOf(one, 'Training')?.reason === 'Suspended');
      await patchSpec('both', { suspend: false });
      expect(await heldBySomebody('both')).toContain('"queue"');
    });

    it.each([
      ['by the spec at first', true],
      ['by the spec later', false],
    ])('%s goes on when the spec says so', async (_, atFirst) => {
      const name = `lifted-${String(atFirst)}`;
      await create(name, { suspend: atFirst });
      await patchSpec(name, { suspend: true });
      await eventually(async () => (await findJob(server, name)).spec?.suspend === true);
      await finetuneWhere(server, name, (one) => conditionOf(one, 'Suspended')?.status === 'True');
      await patchSpec(name, { suspend: false });
      await eventually(async () => (await findJob(server, name)).spec?.suspend === false);
      await finetuneWhere(server, name, (one) => one.status?.phase === 'Pending');
      // From here on the Job's suspension is not the operator's.
      await suspend(name, true, 'queue');
      await heldBySomebody(name);
    });
  });

  it('is left alone by an operator of another version', async () => {
    await createRunning('pinned');
    await finetuneWhere(server, 'pinned', (one) => one.status?.phase === 'Running');
    const before = await findJob(server, 'pinned');
    await operator.stop();
    operator = await startOperator(server, {
      userAgent,
      images: { trainer: 'sparsedm/trainer:next', server: 'sparsedm/serving:next' },
    });
    await reconcileAgain('pinned');
    expect((await findJob(server, 'pinned')).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
  });
});

it('a last word with what the schema refuses ends the run, without that', async () => {
  const bad = {
    ...results,
    progress: {
      reportedAt: '2026-01-31T24:00:00Z',
      history: [{ distance: '3' }, { step: 2, distance: '2' }],
    },
    sparsity: { ...results.sparsity, skippedLayers: -1, pattern: 'x'.repeat(99) },
  };
  const seen = await succeedFinetune(server, 'odd-words', {}, bad);
  expect(seen.status?.phase).toBe('Succeeded');
  expect(seen.status?.progress?.history).toEqual([{ step: 2, distance: '2' }]);
  expect(seen.status?.sparsity).toMatchObject({ achieved: '0.5' });
  expect(seen.status?.sparsity?.pattern).toBeUndefined();
});

describe('what the API server refuses', () => {
  it('of the Job stands in the status, in its own words', async () => {
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'none', namespace: server.namespace },
      spec: { hard: { 'count/jobs.batch': '0' } },
    };
    await writeStatus(server, quotas, await server.client.create(quotas, quota), {
      hard: { 'count/jobs.batch': '0' },
      used: { 'count/jobs.batch': '0' },
    });
    try {
      await create('refused');
      const seen = await finetuneWhere(
        server,
        'refused',
        (one) => conditionOf(one, 'JobReady')?.status === 'False',
      );
      expect(conditionOf(seen, 'JobReady')).toMatchObject({ reason: 'Forbidden' });
      expect(conditionOf(seen, 'JobReady')?.message).toContain('exceeded quota: none');
      expect(conditionOf(seen, 'Stalled')).toBeUndefined();
    } finally {
      await server.client.delete(quotas, keyOf('none'));
    }
    await eventually(async () => (await countJobs('refused')) === 1, { timeoutMs: 20_000 });
  });

  it.each<[string, Changes, string]>([
    ['pages', { resources: { limits: { cpu: 1, 'hugepages-2Mi': '3Mi' } } }, 'spec.trainer.resources.limits'],
    [
      'profile',
      { podAnnotations: { 'container.apparmor.security.beta.kubernetes.io/other': 'unconfined' } },
      'spec.trainer.podAnnotations',
    ],
  ])('for good ends the run (%s)', async (name, trainer, field) => {
    await create(name, { trainer });
    const seen = await finetuneWhere(server, name, isFinished);
    expect(seen.status).toMatchObject({ phase: 'Failed', observedGeneration: 1 });
    expect(seen.status?.completionTime).toBeDefined();
    expect(conditionOf(seen, 'Succeeded')).toMatchObject({ status: 'False', reason: 'Invalid' });
    expect(conditionOf(seen, 'Stalled')).toMatchObject({ status: 'True', reason: 'Invalid' });
    expect(conditionOf(seen, 'JobReady')?.status).toBe('False');
    expect(conditionOf(seen, 'Finished')?.message).toContain(`refuses the Job: ${field}`);
    expect(conditionOf(seen, 'Finished')?.message).not.toContain('spec.template');
  });

  it('for good lets the time to live begin', async () => {
    const resources = { limits: { cpu: 1, 'hugepages-2Mi': '3Mi' } };
    await create('short-lived', { trainer: { resources }, ttlSecondsAfterFinished: 0 });
    await eventually(
      async () => (await server.client.get(sparseFinetunes, keyOf('short-lived'))) === undefined,
    );
  });

  it('because a webhook is down is told at once, and the Job comes when it is up', async () => {
    const webhook = await createDownWebhook(server, 'jobs', { 'sparsedm.io/finetune': 'hooked' });
    try {
      await create('hooked');
      const seen = await finetuneWhere(server, 'hooked', (one) => conditionOf(one, 'JobReady') !== undefined);
      expect(conditionOf(seen, 'JobReady')).toMatchObject({ status: 'False', reason: 'InternalError' });
      expect(conditionOf(seen, 'JobReady')?.message).toContain('failed calling webhook');
      expect(seen.status).toMatchObject({ phase: 'Pending' });
      await eventually(async () => {
        const events = await server.client.list(newEvents, { namespace: server.namespace });
        return events.some(
          ({ reason, note }) => reason === 'InternalError' && String(note).includes('webhook'),
        );
      });
    } finally {
      await webhook.remove();
    }
    await eventually(async () => (await countJobs('hooked')) === 1);
    await finetuneWhere(server, 'hooked', (one) => conditionOf(one, 'JobReady')?.status !== 'False');
  });

  it('of the pod stands in the status within seconds', async () => {
    await create('podless');
    const job = await findJob(server, 'podless');
    const message = 'Error creating: pods "podless-train-x" is forbidden: exceeded quota: none';
    await server.client.create(coreEvents, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'podless.1', namespace: server.namespace },
      involvedObject: {
        apiVersion: 'batch/v1',
        kind: 'Job',
        name: job.metadata.name,
        namespace: server.namespace,
        uid: job.metadata.uid,
      },
      reason: 'FailedCreate',
      message,
      type: 'Warning',
      lastTimestamp: new Date().toISOString(),
    });
    const seen = await finetuneWhere(
      server,
      'podless',
      (one) => conditionOf(one, 'JobReady')?.reason === 'PodsRefused',
      5_000,
    );
    expect(conditionOf(seen, 'JobReady')?.message).toBe(message);
  });
});

describe('a second pass', () => {
  it.each([
    ['over a running SparseFinetune', 'again-running', createRunning],
    ['over one that has succeeded', 'again-succeeded', createSucceeded],
  ])('%s writes nothing', async (_, name, prepare) => {
    await prepare(name);
    await finetuneWhere(server, name, (one) => one.status?.phase === 'Running' || isFinished(one));
    await reconcileAgain(name);
    const versions = async () => [
      (await findJob(server, name)).metadata.resourceVersion,
      (await writesOf(userAgent, server.namespace)).filter((line) => line.includes(name)).length,
    ];
    const before = await versions();
    await reconcileAgain(name);
    await reconcileAgain(name);
    expect(await versions()).toEqual(before);
  });
});
