import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { aFinetune, aJob, aPod, running, settings, startedAt } from '../../test/support/finetune';
import { timeline } from '../../test/support/timeline';
import { ownerReference } from '../kube/owner';
import type { Workload } from '../kube/kueue';
import type { Job } from '../kube/resources';
import { ApiError } from '../runtime/errors';
import { buildJob, controlledJob, controlsDiffer } from './job';
import { plan } from './plan';
import { createQueuePositions } from './queue-position';
import { jobOfWorkload, queueVerdict, wantedWorkload, type Queue } from './queue';

const queued = { queueName: 'team-a' };
const label = 'kueue.x-k8s.io/queue-name';
const held = aJob(aFinetune(queued));
const started: Job = { ...held, spec: { ...held.spec!, suspend: false } };

type Conditions = NonNullable<NonNullable<Workload['status']>['conditions']>;

const says = (
  type: string,
  status: 'True' | 'False',
  reason: string,
  message: string,
): Conditions[number] => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: startedAt,
});
const aWorkload = (conditions: Conditions = [], extra: Partial<Workload> = {}): Workload => ({
  apiVersion: 'kueue.x-k8s.io/v1beta2',
  kind: 'Workload',
  metadata: {
    name: 'job-shirts-train-1a2b3',
    namespace: 'ml',
    uid: 'workload-uid',
    ownerReferences: [{ ...ownerReference(held), kind: 'Job' }],
  },
  spec: { queueName: 'team-a', active: true },
  status: { conditions },
  ...extra,
});
const tooFew =
  "couldn't assign flavors to pod set main: insufficient unused quota for nvidia.com/gpu, 2 more needed";
const pending = says('QuotaReserved', 'False', 'Pending', tooFew);
const evicted = says('Evicted', 'True', 'Preempted', 'Preempted to accommodate a higher priority workload');
const inQueue = (workload?: Workload, more: Partial<Queue> = {}): Queue => ({
  isMissing: false,
  workload,
  ...more,
});

it('a run waits in its queue, runs, loses its place, and goes on', () => {
  const see = timeline(queued);
  const pod = aPod(held, 'a', running);
  const eta = { remainingSeconds: 60, eta: '1m00s', samplesPerSecond: '9.0' };

  expect(see({ job: held, queue: inQueue() })).toMatchObject({ line: 'Pending Queued', events: [] });
  const waits = see({ job: held, queue: inQueue(aWorkload([pending]), { position: 3 }) });
  expect(waits).toMatchObject({ line: 'Pending Queued', events: [] });
  expect(waits.message).toBe(`Waiting in queue team-a (number 3): ${tooFew}.`);
  const admitted = aWorkload([
    says('QuotaReserved', 'True', 'QuotaReserved', ''),
    says('Admitted', 'True', '', ''),
  ]);
  expect(see({ job: held, queue: inQueue(admitted) }).message).toContain('Admitted by queue team-a');
  const runs = see({ job: started, pods: [pod], queue: inQueue(admitted) });
  expect(runs).toMatchObject({ line: 'Running Running', events: ['Normal TrainingStarted'] });

  const told = { progress: { step: 7, ...eta } };
  const leaves = see({ job: held, pods: [pod], queue: inQueue(aWorkload([evicted, pending])), told });
  expect(leaves).toMatchObject({ line: 'Pending Queued' });
  expect(leaves.message).toContain(
    'The pod a is terminating, since the queue took back its place. Evicted (Preempted',
  );
  const gone = see({ job: held, queue: inQueue(aWorkload([evicted, pending])) });
  expect(gone.message).toContain('resumes from its last checkpoint. Waiting in queue team-a');
  expect(gone.finetune.status?.progress).toEqual({ step: 7 });
  const again = aPod(held, 'b', running, '2026-01-01T00:10:00Z');
  expect(see({ job: started, pods: [again], queue: inQueue(admitted) })).toMatchObject({
    line: 'Running Running',
    finetune: { status: { attempts: { number: 2 } } },
  });
});

it('a user’s suspend is the queue’s to carry out', () => {
  const see = timeline(queued);
  const pod = aPod(held, 'a', running);
  see({ job: started, pods: [pod], queue: inQueue(aWorkload()) });
  const spec = { suspend: true };
  expect(see({ job: started, pods: [pod], queue: inQueue(aWorkload()), spec })).toMatchObject({
    line: 'Suspended Suspended',
  });
  const suspended = (job: Job) => {
    const { conditions = [] } = see({ job, queue: inQueue(aWorkload()) }).finetune.status ?? {};
    return conditions.find(({ type }) => type === 'Suspended')?.status;
  };
  expect(suspended(started)).toBe('False'); // a pod may follow
  expect(suspended(held)).toBe('True');
});

describe('what a run in a queue waits for', () => {
  it.each<[string, Queue, string, string]>([
    ['no Kueue', inQueue(undefined, { isMissing: true }), 'False KindMissing', 'install Kueue'],
    ['a Workload', inQueue(), 'Unknown Queued', 'until Kueue has seen the Job for queue team-a'],
    ['a place', inQueue(aWorkload([pending])), 'Unknown Queued', `Waiting in queue team-a: ${tooFew}.`],
    [
      'no such queue',
      inQueue(aWorkload([says('QuotaReserved', 'False', 'Inadmissible', "LocalQueue team-a doesn't exist")])),
      'False Inadmissible',
      "Not admitted by queue team-a: LocalQueue team-a doesn't exist.",
    ],
    [
      'an admission check',
      inQueue(
        aWorkload([], {
          status: {
            conditions: [says('QuotaReserved', 'True', 'QuotaReserved', '')],
            admissionChecks: [
              { name: 'prov', state: 'Pending', message: 'two nodes are on their way' },
              { name: 'budget', state: 'Ready' },
            ],
          },
        }),
      ),
      'Unknown Queued',
      'waiting for the admission checks prov (two nodes are on their way).',
    ],
    [
      'somebody who puts it back',
      inQueue(aWorkload([evicted], { spec: { active: false } })),
      'False Deactivated',
      `kubectl patch workload job-shirts-train-1a2b3 --namespace ml --type=merge --patch '{"spec":{"active":true}}'`,
    ],
  ])('%s', (_, queue, want, words) => {
    const { status, reason, message } = queueVerdict(aFinetune(queued), queue);
    expect(`${status} ${reason}`).toBe(want);
    expect(message).toContain(words);
  });
});

describe('the Job of a run in a queue', () => {
  it('is created suspended and labelled, and its suspend is never written again', () => {
    expect(held.spec).toMatchObject({ suspend: true });
    expect(held.metadata).toMatchObject({ labels: { [label]: 'team-a' } });
    expect(held.metadata.annotations).not.toHaveProperty(['sparsedm.io/suspended']);
    for (const job of [held, started]) {
      for (const suspend of [true, false]) {
        expect(controlsDiffer(aFinetune({ ...queued, suspend }), job)).toBe(false);
      }
    }
    const raised = aFinetune({ ...queued, backoffLimit: 9 });
    expect(controlsDiffer(raised, started)).toBe(true);
    expect(controlledJob(raised, started)).toMatchObject({ metadata: { labels: { [label]: 'team-a' } } });
    expect(controlledJob(raised, started).spec).toEqual({ backoffLimit: 9 });
  });

  it('enters the queue only when the spec no longer suspends it', () => {
    const waits = aFinetune({ ...queued, suspend: true });
    const job = aJob(waits);
    expect(job.metadata.labels).not.toHaveProperty([label]);
    expect(buildJob(waits, settings).spec?.suspend).toBe(true);
    expect(controlsDiffer(waits, job)).toBe(false);
    expect(controlsDiffer(aFinetune(queued), job)).toBe(true);
    expect(controlledJob(aFinetune(queued), job).metadata.labels).toEqual({ [label]: 'team-a' });
  });

  it('follows another queue', () => {
    const other = aFinetune({ queueName: 'team-b' });
    expect(controlsDiffer(other, held)).toBe(true);
    expect(controlledJob(other, held).metadata.labels).toEqual({ [label]: 'team-b' });
  });
});

describe('the Workload', () => {
  const suspends = aFinetune({ ...queued, suspend: true });
  const ours = aWorkload();
  const deactivated = {
    ...ours,
    metadata: { ...ours.metadata, annotations: { 'sparsedm.io/suspended': 'true' } },
    spec: { ...ours.spec, active: false },
  };

  it('is found by its Job', () => expect(jobOfWorkload(ours)).toEqual(['job-uid']));

  it.each<[string, ReturnType<typeof aFinetune>, Workload, object | undefined]>([
    ['is deactivated by suspend', suspends, ours, { active: false }],
    ['is left alone once it is', suspends, deactivated, undefined],
    ['is let go again', aFinetune(queued), deactivated, {}],
    ['is otherwise never written', aFinetune(queued), aWorkload([], { spec: { active: false } }), undefined],
  ])('%s', (_, finetune, workload, want) => {
    expect(wantedWorkload(finetune, workload)?.spec).toEqual(want);
    const planned = plan({ finetune, job: held, pods: [], queue: inQueue(workload) }, settings, new Date());
    expect(planned.action).toBe(want === undefined ? 'none' : 'controlWorkload');
  });
});

describe('the place in a queue', () => {
  const clock = new FakeClock(startedAt);
  const queue = { namespace: 'ml', name: 'team-a' };
  const positionsOver = (answer: () => Promise<unknown>) => {
    const paths: string[] = [];
    const get = (path: string) => (paths.push(path), answer());
    return { paths, positions: createQueuePositions(get, clock) };
  };

  it('is read once for all runs of the queue', async () => {
    const items = ['x', 'job-shirts-train-1a2b3'].map((name, positionInLocalQueue) => ({
      metadata: { name },
      positionInLocalQueue,
    }));
    const { paths, positions } = positionsOver(() => Promise.resolve({ items }));
    expect(await positions.of(queue, 'job-shirts-train-1a2b3')).toBe(2);
    expect(await positions.of(queue, 'x')).toBe(1);
    expect(await positions.of(queue, 'y')).toBeUndefined();
    expect(paths).toEqual([
      '/apis/visibility.kueue.x-k8s.io/v1beta2/namespaces/ml/localqueues/team-a/pendingworkloads',
    ]);
  });

  it.each([403, 404, 503])('is not told after a %i, and not asked for again', async (status) => {
    const { paths, positions } = positionsOver(() =>
      Promise.reject(new ApiError({ status, reason: '', message: 'no' })),
    );
    expect(await positions.of(queue, 'x')).toBeUndefined();
    expect(await positions.of({ ...queue, name: 'team-b' }, 'x')).toBeUndefined();
    expect(paths).toHaveLength(1);
  });
});
