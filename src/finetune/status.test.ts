import { describe, expect, it } from 'vitest';
import {
  aFinetune,
  aJob,
  aPod,
  ended,
  finished,
  running,
  startedAt,
  terminated,
} from '../../test/support/finetune';
import type { SparseFinetune, SparseFinetuneStatus } from '../api/types';
import { findCondition } from '../kube/conditions';
import type { Job, Pod } from '../kube/resources';
import type { Observed } from './situation';
import { buildStatus } from './status';
import { transitions } from './transitions';

const at = (seconds: number) => new Date(Date.parse(startedAt) + seconds * 1000);
const job = aJob(aFinetune());
const runningPod = aPod(job, 'a', running);
const model = { uri: 'pvc://models/shirts', sha256: 'b'.repeat(64) };
const fid = { metric: 'fd-x', dense: '100', sparse: '103', increase: '3' };

function statusOf(observed: Partial<Observed>, seconds = 0): SparseFinetuneStatus {
  return buildStatus({ finetune: aFinetune(), job, pods: [], ...observed }, at(seconds));
}

function summary(status: SparseFinetuneStatus): Record<string, string> {
  return Object.fromEntries(
    (status.conditions ?? []).map((each) => [each.type, `${each.status} ${each.reason}`]),
  );
}

const blocked = (waiting: object) =>
  aPod(job, 'a', {
    phase: 'Pending',
    containerStatuses: [
      { name: 'trainer', image: 'x', imageID: 'x', ready: false, restartCount: 0, state: { waiting } },
    ],
  });
const foreign = { ...job, metadata: { name: 'shirts-train', namespace: 'ml', uid: 'other' } };
const leftOver = {
  ...job,
  metadata: { ...job.metadata, ownerReferences: [{ ...job.metadata.ownerReferences![0]!, uid: 'earlier' }] },
};
const lostPod = {
  ...runningPod,
  metadata: { ...runningPod.metadata, deletionTimestamp: '2025-12-31T23:59:30Z' },
  spec: { nodeName: 'gpu-1', containers: [] },
};
const onNode = { nodeName: 'gpu-1', containers: [] };
const disrupted = {
  type: 'DisruptionTarget',
  status: 'True' as const,
  reason: 'EvictionByEvictionAPI',
  message: 'Eviction API: evicting',
};
const drained = aPod(job, 'a', { ...terminated({ exitCode: 143 }), conditions: [disrupted] });
const told = {
  ...runningPod,
  metadata: { ...runningPod.metadata, deletionTimestamp: '2026-01-01T00:01:00Z' },
  spec: onNode,
  status: { ...running, conditions: [disrupted] },
};
const failing = aJob(aFinetune(), {
  conditions: [{ type: 'FailureTarget', status: 'True', reason: 'DeadlineExceeded', message: 'late' }],
});
const pastDeadline: Job = {
  ...aJob(aFinetune(), { startTime: '2025-12-31T23:59:00Z' }),
  spec: { ...job.spec!, activeDeadlineSeconds: 60 },
};
const deletedJob = { ...job, metadata: { ...job.metadata, deletionTimestamp: startedAt } };
const onSilentNode = aPod(job, 'a', {
  ...running,
  conditions: [
    { type: 'Ready', status: 'False' },
    { type: 'ContainersReady', status: 'True' },
  ],
});

/** The trainer has ended as given, and a container beside it goes on. */
function besideSidecar(exitCode: number, message?: string): Pod {
  const state = { terminated: { exitCode, finishedAt: startedAt, ...(message && { message }) } };
  const container = { image: 'x', imageID: 'x', ready: false, restartCount: 0 };
  return {
    ...aPod(job, 'a', {
      ...running,
      containerStatuses: [
        { ...container, name: 'trainer', state },
        { ...container, name: 'istio-proxy', state: { running: { startedAt } } },
      ],
    }),
    spec: onNode,
  };
}

const lost = aPod(job, 'a', terminated({ exitCode: 1 }));

it('a run whose Job was refused for good has failed, and says so once', () => {
  const refusal = { reason: 'Invalid', message: 'spec.trainer.podLabels: bad', final: true };
  const status = statusOf({ job: undefined, refusal }, 5);
  expect(status).toMatchObject({ phase: 'Failed', completionTime: '2026-01-01T00:00:05Z' });
  expect(summary(status)).toMatchObject({
    JobReady: 'False Invalid',
    Succeeded: 'False Invalid',
    Finished: 'True Failed',
    Stalled: 'True Invalid',
  });
  const message =
    'The API server refuses the Job: spec.trainer.podLabels: bad. Correct that in a new SparseFinetune.';
  expect(findCondition(status.conditions, 'Finished')?.message).toBe(message);
  expect(transitions(aFinetune(), status).map(({ type, reason }) => `${type} ${reason}`)).toEqual([
    'Warning Invalid',
  ]);
});

it('a model at another place than spec.output.uri is none', () => {
  const elsewhere = JSON.stringify({ model: { uri: 'pvc://secrets/x', sha256: 'b'.repeat(64) }, fid });
  const pods = [aPod(job, 'a', terminated({ exitCode: 0, message: elsewhere }))];
  const status = statusOf({ job: aJob(aFinetune(), ended('Complete')), pods });
  expect(status.model).toBeUndefined();
  expect(summary(status)).toMatchObject({ Succeeded: 'False ResultsMissing', Finished: 'True Failed' });
  const message = findCondition(status.conditions, 'Succeeded')?.message;
  expect(message).toContain('is at pvc://secrets/x, and spec.output.uri is pvc://models/shirts');
});

describe('the status of a run that goes on', () => {
  it.each<[string, Partial<Observed>, string, Record<string, string>]>([
    [
      'before its Job',
      { job: undefined },
      'Pending',
      { JobReady: 'Unknown JobMissing', Succeeded: 'Unknown JobMissing' },
    ],
    [
      'that waits for an earlier pod of its name',
      { job: undefined, earlierPod: runningPod },
      'Pending',
      { JobReady: 'False EarlierPodRuns', Finished: 'False InProgress' },
    ],
    [
      'that waits for an earlier pod on a lost node',
      { job: undefined, earlierPod: lostPod },
      'Pending',
      { JobReady: 'False PodLost' },
    ],
    ['whose Job has no pod yet', {}, 'Pending', { JobReady: 'Unknown WaitingForPod' }],
    ['whose Job is another’s', { job: foreign }, 'Pending', { JobReady: 'False NameConflict' }],
    ['whose Job is an earlier run’s', { job: leftOver }, 'Pending', { JobReady: 'False JobDeleting' }],
    [
      'whose image is missing',
      { pods: [blocked({ reason: 'ImagePullBackOff', message: 'no image' })] },
      'Pending',
      { JobReady: 'False ImagePullBackOff' },
    ],
    [
      'whose container is being made',
      { pods: [blocked({ reason: 'ContainerCreating' })] },
      'Pending',
      { JobReady: 'Unknown WaitingForPod' },
    ],
    ['whose pod was refused', { podRefusal: 'exceeded quota' }, 'Pending', { JobReady: 'False PodsRefused' }],
    [
      'whose Job was refused for now',
      { job: undefined, refusal: { reason: 'Forbidden', message: 'quota', final: false } },
      'Pending',
      { JobReady: 'False Forbidden' },
    ],
    [
      'whose Job was not changed',
      { pods: [runningPod], refusal: { reason: 'InternalError', message: 'webhook', final: false } },
      'Running',
      { JobReady: 'False InternalError', Training: 'True Running' },
    ],
    [
      'that runs',
      { pods: [runningPod] },
      'Running',
      { JobReady: 'True JobCreated', Training: 'True Running', Reporting: 'Unknown WaitingForReports' },
    ],
    [
      'that failed once',
      { pods: [lost] },
      'Pending',
      { Training: 'False Retrying', Reporting: 'Unknown NotTraining' },
    ],
    [
      'that failed for good, before its Job says so',
      { pods: [aPod(job, 'a', terminated({ exitCode: 3 }))] },
      'Running',
      { Training: 'True Running' },
    ],
    [
      'whose pod is terminating',
      { pods: [told] },
      'Pending',
      { JobReady: 'Unknown PodEnding', Training: 'Unknown PodEnding' },
    ],
    ['whose pod is lost with its node', { pods: [lostPod] }, 'Pending', { JobReady: 'False PodLost' }],
    [
      'whose pod was drained, without an attempt left',
      {
        finetune: aFinetune({ backoffLimit: 0 }),
        job: aJob(aFinetune({ backoffLimit: 0 })),
        pods: [drained],
      },
      'Pending',
      { Training: 'False Retrying' },
    ],
    [
      'that has used up its attempts, before its Job says so',
      { finetune: aFinetune({ backoffLimit: 0 }), job: aJob(aFinetune({ backoffLimit: 0 })), pods: [lost] },
      'Running',
      { Training: 'True Running' },
    ],
    [
      'whose time is over, before its Job says so',
      { job: pastDeadline, pods: [aPod(job, 'a', terminated({ exitCode: 143 }))] },
      'Running',
      { Training: 'True Running' },
    ],
    [
      'whose Job fails while its pod ends',
      { job: failing, pods: [told] },
      'Running',
      { JobReady: 'True JobCreated', Training: 'False DeadlineExceeded' },
    ],
    [
      'whose Job fails while its pod is lost',
      { job: failing, pods: [lostPod] },
      'Running',
      { JobReady: 'False PodLost', Training: 'False DeadlineExceeded' },
    ],
    ['whose Job is deleted', { job: deletedJob, pods: [told] }, 'Pending', { JobReady: 'False JobDeleting' }],
    [
      'whose Job is deleted with a lost pod',
      { job: deletedJob, pods: [lostPod] },
      'Pending',
      { JobReady: 'False PodLost' },
    ],
    [
      'that stops on a lost node',
      { finetune: aFinetune({ suspend: true }), pods: [lostPod] },
      'Suspended',
      { Suspended: 'False NotSuspended', JobReady: 'False PodLost' },
    ],
    ['whose node no longer answers', { pods: [onSilentNode] }, 'Running', { Training: 'Unknown NodeSilent' }],
    [
      'that stops',
      { finetune: aFinetune({ suspend: true }), pods: [runningPod] },
      'Suspended',
      { Suspended: 'False NotSuspended', Training: 'False Suspended' },
    ],
    [
      'that is suspended',
      { finetune: aFinetune({ suspend: true }) },
      'Suspended',
      { Suspended: 'True Suspended' },
    ],
  ])('%s', (_, observed, wantPhase, want) => {
    const status = statusOf(observed);
    expect(status.phase).toBe(wantPhase);
    expect(summary(status)).toMatchObject({ Finished: 'False InProgress', ...want });
    if (want.Stalled === undefined) expect(summary(status).Stalled).toBeUndefined();
    expect(status.conditions?.every(({ observedGeneration }) => observedGeneration === 3)).toBe(true);
    expect(Object.keys(summary(status))).not.toContain('Ready');
    expect(Object.keys(summary(status))).not.toContain('Reconciling');
  });

  it.each([
    ['has not come yet', undefined, 59, 'Unknown WaitingForReports'],
    ['has not come for too long', undefined, 60, 'False NoReports'],
    ['came lately', 30, 89, 'True ReportsArrive'],
    ['came long ago', 30, 90, 'False NoReports'],
  ])('says when a report %s', (_, reportedAfter, seconds, want) => {
    const progress = reportedAfter === undefined ? {} : { reportedAt: at(reportedAfter).toISOString() };
    const status = statusOf({ finetune: aFinetune({}, { progress }), pods: [runningPod] }, seconds);
    expect(summary(status).Reporting).toBe(want);
  });

  const url = (base: string) => `${base}/v1/finetunes/ml/shirts/progress`;
  it('says that the pod reports to another operator than this one, and goes on saying so', () => {
    const addresses = { pod: url('http://old.system.svc:8082'), operator: url('http://new.system.svc:8082') };
    const status = statusOf({ pods: [runningPod], addresses }, 60);
    const { reason, message } = findCondition(status.conditions, 'Reporting')!;
    expect(reason).toBe('ReportsElsewhere');
    expect(message).toContain(
      'The pod reports to http://old.system.svc:8082, and this operator listens at http://new.system.svc:8082',
    );
    expect(message).toContain('kubectl delete job shirts-train --namespace ml');
    expect(statusOf({ finetune: aFinetune({}, status), pods: [runningPod] }, 90)).toEqual(status);
    const same = { pod: addresses.operator, operator: addresses.operator };
    expect(summary(statusOf({ pods: [runningPod], addresses: same }, 60)).Reporting).toBe('False NoReports');
  });

  it('keeps what the report endpoint wrote', () => {
    const progress = { step: 5, percent: 2 };
    const status = statusOf({
      finetune: aFinetune({}, { progress, checkpoint: { step: 4 } }),
      pods: [runningPod],
    });
    expect(status).toMatchObject({ progress, checkpoint: { step: 4 }, jobUid: 'job-uid' });
  });

  it.each([
    ['its former Job is ending', runningPod, 'It ends with its former Job.'],
    [
      'has no owner any more',
      { ...runningPod, metadata: { ...runningPod.metadata, ownerReferences: [] } },
      'kubectl delete pod a --namespace ml',
    ],
    [
      'is terminating',
      { ...runningPod, metadata: { ...runningPod.metadata, deletionTimestamp: '2026-01-01T00:01:00Z' } },
      'It is terminating',
    ],
    ['should have ended', lostPod, 'kubectl taint nodes gpu-1 node.kubernetes.io/out-of-service='],
  ])('says what becomes of an earlier pod that %s', (_, earlierPod, want) => {
    const status = statusOf({ job: undefined, earlierPod });
    const message = findCondition(status.conditions, 'JobReady')?.message;
    expect(message).toContain('pod a');
    expect(message).toContain('spec.output.uri (pvc://models/shirts)');
    expect(message).toContain(want);
  });

  const toldBefore = {
    step: 5,
    percent: 2,
    phase: 'training',
    eta: '9m00s',
    remainingSeconds: 540,
    samplesPerSecond: '8.0',
  };

  it.each<[string, Partial<Observed>]>([
    ['suspended', { finetune: aFinetune({ suspend: true }) }],
    ['between two attempts', { pods: [lost] }],
    ['at the start of a new attempt', { pods: [lost, aPod(job, 'b', running, '2026-01-01T00:05:00Z')] }],
    ['over, and failed', { job: aJob(aFinetune(), ended('Failed', 'DeadlineExceeded')) }],
  ])('tells neither time left nor phase of a trainer that is gone: %s', (_, { finetune, ...observed }) => {
    const attempts = { number: 1, podUid: 'a-uid', podCreatedAt: startedAt };
    const { spec } = finetune ?? aFinetune();
    const status = statusOf({ ...observed, finetune: aFinetune(spec, { attempts, progress: toldBefore }) });
    expect(status.progress).toEqual({ step: 5, percent: 2 });
  });

  it('is the same in a second pass', () => {
    const first = statusOf({ pods: [runningPod] });
    expect(statusOf({ finetune: aFinetune({}, first), pods: [runningPod] }, 30)).toEqual(first);
  });
});

describe('what is waited for', () => {
  const messageOf = (observed: Partial<Observed>, type = 'JobReady', seconds = 0) =>
    findCondition(statusOf(observed, seconds).conditions, type)?.message;
  const pending = aPod(job, 'a', { phase: 'Pending' });
  const withoutPod = { ...job, metadata: { ...job.metadata, creationTimestamp: startedAt } };

  it.each<[string, Partial<Observed>, string, number?]>([
    ['a Job that is new', { job: withoutPod }, 'its pod is about to start', 59],
    ['a Job without a pod', { job: withoutPod }, 'kubectl describe job shirts-train', 60],
    ['a pod without a node', { pods: [pending] }, 'pod a waits for a node'],
    ['a pod on its node', { pods: [{ ...pending, spec: onNode }] }, 'pod a on node gpu-1 is about to start'],
    [
      'a pod that is drained',
      { pods: [told] },
      'pod a on node gpu-1 is terminating (EvictionByEvictionAPI: Eviction API: evicting)',
    ],
    [
      'a pod that is late',
      { pods: [told] },
      'kubectl taint nodes gpu-1 node.kubernetes.io/out-of-service=',
      90,
    ],
    ['a Job that is deleted', { job: deletedJob, pods: [told] }, 'when the pod a on node gpu-1 has ended'],
    ['a sidecar', { pods: [besideSidecar(1)] }, 'container istio-proxy of pod a on node gpu-1', 10],
    ['a sidecar, by a command', { pods: [besideSidecar(1)] }, 'kubectl delete pod a --namespace ml', 10],
  ])('%s', (_, observed, want, seconds) => {
    expect(messageOf(observed, 'JobReady', seconds)).toContain(want);
  });

  it.each([
    ['counts', [lost], 'spec.backoffLimit allows 3 more'],
    ['does not count', [drained], 'does not count against spec.backoffLimit'],
  ])('another attempt that %s', (_, pods, want) => {
    expect(messageOf({ pods }, 'Training')).toContain(want);
  });

  it('names the pod that a failing Job waits for', () => {
    const message = messageOf({ job: failing, pods: [told] }, 'Training');
    expect(message).toContain('spec.activeDeadlineSeconds');
    expect(message).toContain('pod a on node gpu-1 has to end');
  });
});

describe('a trainer that ends beside a sidecar', () => {
  const word = JSON.stringify({ model, fid });
  const seen = (pod: Pod, seconds = 10) => statusOf({ pods: [pod] }, seconds);

  it('has ended the run with its result, and names the container and the remedy', () => {
    const status = seen(besideSidecar(0, word));
    expect(status).toMatchObject({ phase: 'Succeeded', model, fid, completionTime: startedAt });
    expect(summary(status)).toMatchObject({ Finished: 'True Succeeded', JobReady: 'False SidecarRuns' });
    const message = findCondition(status.conditions, 'JobReady')?.message;
    expect(message).toContain('container istio-proxy of pod a on node gpu-1');
    expect(message).toContain('kubectl delete job shirts-train --namespace ml');
    expect(message).toContain('spec.trainer.podLabels');
  });

  it('may take the sidecar with it for a moment', () => {
    expect(seen(besideSidecar(0, word), 9).phase).toBe('Running');
  });

  it('has failed for good with an exit code that is final', () => {
    const status = seen(besideSidecar(3));
    expect(summary(status)).toMatchObject({ Finished: 'True Failed', JobReady: 'False SidecarRuns' });
  });

  it('says nothing of a result that nobody has told', () => {
    expect(summary(seen(besideSidecar(0)))).toMatchObject({
      JobReady: 'False SidecarRuns',
      Finished: 'False InProgress',
    });
  });

  it('is no longer held open when the pod is gone', () => {
    const before = seen(besideSidecar(0, word));
    const held = statusOf({ finetune: aFinetune({}, before), pods: [besideSidecar(0, word)] }, 60);
    expect(held).toEqual(before);
    const after = statusOf({ finetune: aFinetune({}, before), job: undefined, pods: [] }, 60);
    expect(summary(after)).toMatchObject({ JobReady: 'True JobCreated', Finished: 'True Succeeded' });
  });

  it('has a result even if the sidecar made the pod fail', () => {
    const pod = aPod(job, 'a', { ...terminated({ exitCode: 0, message: word }), phase: 'Failed' });
    for (const each of [job, aJob(aFinetune(), ended('Failed', 'BackoffLimitExceeded'))]) {
      expect(statusOf({ job: each, pods: [pod] })).toMatchObject({ phase: 'Succeeded', model });
    }
  });
});

describe('the status of a run that has ended', () => {
  const complete = aJob(aFinetune(), ended('Complete'));
  const word = (message: object | string) => [
    aPod(
      job,
      'a',
      terminated({ exitCode: 0, message: typeof message === 'string' ? message : JSON.stringify(message) }),
    ),
  ];

  it('takes the last word over earlier reports', () => {
    const before = { progress: { step: 290, totalSteps: 300, loss: '0.2' }, fid: { sparse: '999' } };
    const status = statusOf({ finetune: aFinetune({}, before), job: complete, pods: word({ model, fid }) });
    expect(status).toMatchObject({
      phase: 'Succeeded',
      model,
      fid,
      completionTime: '2026-01-01T01:00:00Z',
      progress: { step: 300, percent: 100, display: '100%', eta: '0s', phase: 'done', loss: '0.2' },
    });
    expect(summary(status)).toMatchObject({
      Succeeded: 'True Succeeded',
      Finished: 'True Succeeded',
      QualityGatePassed: 'True NoGate',
    });
  });

  it('takes earlier reports where the pod is gone', () => {
    const status = statusOf({ finetune: aFinetune({}, { model, fid }), job: complete });
    expect(status).toMatchObject({ phase: 'Succeeded', model, fid });
  });

  it('is a failure where neither says anything', () => {
    const status = statusOf({ job: complete, pods: word('nothing of use') });
    expect(status.phase).toBe('Failed');
    expect(summary(status)).toMatchObject({
      Succeeded: 'False ResultsMissing',
      Finished: 'True Failed',
      Stalled: 'True ResultsMissing',
    });
  });

  it.each([
    [{ maxFidIncrease: '3' }, { model, fid }, 'True WithinBounds'],
    [{ maxFidIncrease: '2.9' }, { model, fid }, 'False OutOfBounds'],
    [
      { maxFidIncrease: '3' },
      { model, fid: { ...fid, served: [{ precision: 'bf16', increase: '3.5' }] } },
      'False OutOfBounds',
    ],
    [
      { maxFidIncrease: '3' },
      { model, fid: { ...fid, served: [{ precision: 'bf16', problem: 'NaN.' }] } },
      'False FiguresMissing',
    ],
    [{ minMacsReductionPercent: 50 }, { model, fid }, 'False FiguresMissing'],
  ])('judges %j', (acceptance, last, want) => {
    const status = statusOf({ finetune: aFinetune({ acceptance }), job: complete, pods: word(last) });
    const reason = want.startsWith('True') ? 'Succeeded' : 'GateFailed';
    expect(summary(status)).toMatchObject({ QualityGatePassed: want, Succeeded: `True ${reason}` });
  });

  it.each([
    ['2.9', 'RolledBack', 'after stage 3.'],
    ['30', 'GateFailed', 'Its gate has not passed'],
  ])('of a run that rolled back says so, with an increase of %s', (increase, reason, words) => {
    const rollback = { stage: 2, step: 120, regressedStep: 180, message: 'It rose after stage 3.' };
    const last = { model, fid: { ...fid, increase }, progress: { step: 120 }, rollback };
    const finetune = aFinetune({ acceptance: { maxFidIncrease: '3' } });
    const status = statusOf({ finetune, job: complete, pods: word(last) });
    const succeeded = findCondition(status.conditions, 'Succeeded');
    expect(succeeded).toMatchObject({ status: 'True', reason });
    expect(succeeded?.message).toContain('It rose after stage 3.');
    expect(succeeded?.message).toContain(words);
    expect(status).toMatchObject({ rollback, progress: { step: 120, totalSteps: 300, percent: 100 } });
  });

  it('tells how often a failing pod was tried', () => {
    const exhausted = aJob(aFinetune(), ended('Failed', 'BackoffLimitExceeded'));
    const again = aPod(job, 'b', terminated({ exitCode: 1 }));
    const status = statusOf({ job: exhausted, pods: [lost, again] });
    expect(findCondition(status.conditions, 'Succeeded')?.message).toContain('It was tried 2 times.');
    expect(status.attempts?.number).toBe(2);
  });

  it('says the Job’s reason where no pod is left', () => {
    const status = statusOf({ job: aJob(aFinetune(), ended('Failed', 'BackoffLimitExceeded')) });
    expect(summary(status).Succeeded).toBe('False BackoffLimitExceeded');
  });

  it('never changes again, but for the generation', () => {
    const before = finished('Succeeded');
    const status = statusOf({ finetune: aFinetune({ suspend: true }, before), job: undefined });
    expect(status).toMatchObject({ phase: 'Succeeded', observedGeneration: 3, completionTime: startedAt });
    expect(status.conditions).toEqual([{ ...before.conditions![0], observedGeneration: 3 }]);
  });
});

describe('the events of a change', () => {
  const fetching = { phase: 'fetching', display: 'fetching 3.1 of 9.8 GB' };
  const after = (
    observed: Partial<Observed>,
    before?: SparseFinetuneStatus,
    seconds = 0,
  ): [SparseFinetune, SparseFinetuneStatus] => {
    const finetune = aFinetune({}, before);
    return [finetune, statusOf({ finetune, ...observed }, seconds)];
  };

  it.each<[string, [SparseFinetune, SparseFinetuneStatus], string[]]>([
    ['that starts training', after({ pods: [runningPod] }), ['Normal TrainingStarted']],
    ['that changes nothing', after({ pods: [runningPod] }, statusOf({ pods: [runningPod] })), []],
    [
      'that loses its reports',
      after({ pods: [runningPod] }, statusOf({ pods: [runningPod] }), 61),
      ['Warning NoReports'],
    ],
    [
      'that begins to fetch files',
      after({ pods: [runningPod] }, { ...statusOf({ pods: [runningPod] }), progress: fetching }),
      ['Normal Fetching'],
    ],
    [
      'that has fetched them',
      after(
        { pods: [runningPod] },
        {
          ...statusOf({ finetune: aFinetune({}, { progress: fetching }), pods: [runningPod] }),
          progress: { phase: 'loading' },
          sources: [{ uri: 's3://data/images' }],
        },
      ),
      ['Normal Fetched'],
    ],
    ['that meets a foreign Job', after({ job: foreign }), ['Warning NameConflict']],
    [
      'that tries again',
      after({ pods: [lost] }, statusOf({ pods: [runningPod] })),
      ['Warning TrainerFailed'],
    ],
    [
      'that succeeds',
      after({ job: aJob(aFinetune(), ended('Complete')), pods: [] }, { model }),
      ['Normal Succeeded'],
    ],
    [
      'that fails',
      after({ job: aJob(aFinetune(), ended('Failed', 'DeadlineExceeded')) }),
      ['Warning DeadlineExceeded'],
    ],
  ])('%s', (_, [finetune, status], want) => {
    expect(transitions(finetune, status).map(({ type, reason }) => `${type} ${reason}`)).toEqual(want);
  });
});
