/** Runs in a queue, with the test in the place of Kueue: it suspends, starts and takes back Jobs by their Workloads. */
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { sparseFinetunes, type SparseFinetune } from '../../src/api/types';
import { workloads, type Workload } from '../../src/kube/kueue';
import { ownerReference } from '../../src/kube/owner';
import { jobs, pods, type Job } from '../../src/kube/resources';
import { ApiError } from '../../src/runtime/errors';
import { objectPath } from '../../src/runtime/objects';
import { eventually, type ApiServer } from './harness';
import { installWorkloads } from './kueue';
import {
  conditionOf,
  createPodOf,
  findJob,
  finetuneWhere,
  jobKey,
  mergeSpec,
  runPod,
  startOperator,
  useOperator,
  writesOf,
  writeStatus,
  type RunningOperator,
} from './operator';
import { finetune, type Changes } from './specs';

let server: ApiServer;
let operator: RunningOperator;
const userAgent = `sparsedm-operator/${randomBytes(4).toString('hex')}`;

useOperator({ userAgent }, (opened, started) => {
  server = opened;
  operator = started;
});

const create = (name: string, spec: Changes = {}): Promise<SparseFinetune> =>
  server.client.create(sparseFinetunes, finetune(name, server.namespace, { queueName: 'team-a', ...spec }), {
    fieldManager: 'test',
  });
const patchSpec = (name: string, spec: Changes) => mergeSpec(server, sparseFinetunes, name, spec);
const waitsFor = (name: string, words: string) =>
  finetuneWhere(server, name, (one) => conditionOf(one, 'JobReady')?.message?.includes(words) === true);

it('without Kueue a run with queueName says so, and its Job stays suspended', async () => {
  await create('early');
  const seen = await waitsFor('early', 'install Kueue');
  expect(conditionOf(seen, 'JobReady')).toMatchObject({ status: 'False', reason: 'KindMissing' });
  expect(seen.status?.phase).toBe('Pending');
  expect((await findJob(server, 'early')).spec?.suspend).toBe(true);
});

describe('with Kueue', () => {
  let second: RunningOperator;
  beforeAll(async () => {
    await operator.stop();
    await installWorkloads(server.transport);
    second = await startOperator(server, { userAgent });
    return () => second.stop();
  });

  const says = (type: string, status: 'True' | 'False', reason: string, message: string) => ({
    type,
    status,
    reason,
    message,
    lastTransitionTime: new Date().toISOString(),
  });

  /** As Kueue makes it for a Job with the label. */
  async function createWorkload(job: Job): Promise<Workload> {
    const podSet = { name: 'main', count: 1, template: { spec: job.spec!.template.spec } };
    return server.client.create(
      workloads,
      {
        apiVersion: 'kueue.x-k8s.io/v1beta2',
        kind: 'Workload',
        metadata: {
          name: `job-${job.metadata.name}`,
          namespace: server.namespace,
          ownerReferences: [{ ...ownerReference(job), kind: 'Job' }],
        },
        spec: { queueName: 'team-a', podSets: [podSet] } as Workload['spec'] & object,
      },
      { fieldManager: 'kueue' },
    );
  }

  const tell = (workload: Workload, ...conditions: ReturnType<typeof says>[]) =>
    writeStatus(server, workloads, workload, { conditions });
  const patchJob = (name: string, spec: object) =>
    server.transport.request({
      method: 'PATCH',
      path: objectPath(jobs, jobKey(name, server.namespace)),
      query: { fieldManager: 'kueue' },
      contentType: 'application/merge-patch+json',
      body: { spec },
    });
  const onFlavor = (value: string | null) => ({ template: { spec: { nodeSelector: { flavor: value } } } });
  const written = async (name: string) =>
    (await writesOf(userAgent, server.namespace)).filter((line) => line.includes(`jobs/ ${name}-train`));

  it('a run waits, starts where the queue says, loses its place and resumes, and the queue’s are suspend and template', async () => {
    await create('shirts');
    const job = await findJob(server, 'shirts');
    expect(job.metadata.labels).toMatchObject({ 'kueue.x-k8s.io/queue-name': 'team-a' });
    expect(job.spec?.suspend).toBe(true);
    await waitsFor('shirts', 'until Kueue has seen the Job');
    const workload = await createWorkload(job);
    await tell(workload, says('QuotaReserved', 'False', 'Pending', 'insufficient unused quota for cpu'));
    await waitsFor('shirts', 'Waiting in queue team-a: insufficient unused quota for cpu.');

    await patchJob('shirts', onFlavor('spot'));
    await patchJob('shirts', { suspend: false });
    await tell(workload, says('Admitted', 'True', 'Admitted', 'The workload is admitted'));
    const pod = await createPodOf(server, await findJob(server, 'shirts'), 'a');
    await runPod(server, pod);
    await finetuneWhere(server, 'shirts', (one) => one.status?.phase === 'Running');

    await tell(
      workload,
      says('Evicted', 'True', 'Preempted', 'Preempted by a higher priority'),
      says('QuotaReserved', 'False', 'Pending', 'Preempted by a higher priority'),
    );
    await patchJob('shirts', { suspend: true });
    await waitsFor('shirts', 'since the queue took back its place. Evicted (Preempted');
    await server.client.delete(
      pods,
      { namespace: server.namespace, name: pod.metadata.name },
      { gracePeriodSeconds: 0 },
    );
    await patchJob('shirts', onFlavor(null));
    await finetuneWhere(
      server,
      'shirts',
      (one) => conditionOf(one, 'JobReady')?.message?.startsWith('Evicted (Preempted') === true,
    );
    expect((await findJob(server, 'shirts')).spec?.suspend).toBe(true);

    await patchJob('shirts', { ...onFlavor('on-demand'), suspend: false });
    await runPod(server, await createPodOf(server, await findJob(server, 'shirts'), 'b'));
    const again = await finetuneWhere(server, 'shirts', (one) => one.status?.phase === 'Running');
    expect(again.status?.attempts?.number).toBe(2);
    expect((await findJob(server, 'shirts')).spec?.template.spec?.nodeSelector).toEqual({
      flavor: 'on-demand',
    });
    expect(await written('shirts')).toEqual(['create jobs/ shirts-train']);
  });

  it('a user’s suspend deactivates the Workload, and its end lets it go again', async () => {
    await create('paused');
    const workload = await createWorkload(await findJob(server, 'paused'));
    const active = async () =>
      (await server.client.get(workloads, { namespace: server.namespace, name: workload.metadata.name }))
        ?.spec?.active;
    await waitsFor('paused', 'Waiting in queue team-a');
    await patchSpec('paused', { suspend: true });
    await eventually(async () => (await active()) === false);
    await finetuneWhere(server, 'paused', (one) => one.status?.phase === 'Suspended');
    await patchSpec('paused', { suspend: false });
    await eventually(async () => (await active()) === true);
    await waitsFor('paused', 'Waiting in queue team-a');
    expect((await findJob(server, 'paused')).spec?.suspend).toBe(true);
  });

  it('a run that is suspended at first enters its queue when it no longer is', async () => {
    await create('later', { suspend: true });
    const label = async () => (await findJob(server, 'later')).metadata.labels?.['kueue.x-k8s.io/queue-name'];
    await finetuneWhere(server, 'later', (one) => conditionOf(one, 'Suspended')?.status === 'True');
    expect(await label()).toBeUndefined();
    await patchSpec('later', { suspend: false });
    await eventually(async () => (await label()) === 'team-a');
    expect((await findJob(server, 'later')).spec?.suspend).toBe(true);
  });

  it('another queue may be named until the first pod, and never none', async () => {
    await create('moves', { queueName: 'taem-a' });
    await patchSpec('moves', { queueName: 'team-a' });
    await eventually(
      async () =>
        (await findJob(server, 'moves')).metadata.labels?.['kueue.x-k8s.io/queue-name'] === 'team-a',
    );
    const refused = (name: string, queueName: string | null) =>
      patchSpec(name, { queueName }).then(
        () => 'accepted',
        (error: unknown) => (error instanceof ApiError ? error.message : String(error)),
      );
    expect(await refused('moves', null)).toContain('spec.queueName may be changed to another queue until');
    await runPod(server, await createPodOf(server, await findJob(server, 'moves'), 'a'));
    await finetuneWhere(server, 'moves', (one) => one.status?.attempts?.number === 1);
    expect(await refused('moves', 'team-b')).toContain('until the run has its first pod');
  });
});
