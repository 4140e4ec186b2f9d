import { describe, expect, it } from 'vitest';
import {
  aDeployment,
  aFinetune,
  aServerPod,
  aService,
  condition as gone,
  rolledOut,
  settings,
  succeeded,
  uriModel,
} from '../../test/support/inference';
import type { SparseInferenceService, SparseInferenceServiceStatus } from '../api/types';
import { findCondition } from '../kube/conditions';
import type { Deployment, Service } from '../kube/resources';
import { buildDeployment, REPLACE } from './deployment';
import { plan, type Observed } from './plan';
import { withRecord } from './record';
import { buildService } from './service';
import { buildStatus } from './status';
import { transitions } from './transitions';

const now = new Date('2026-01-01T00:00:00Z');
const network: Service = buildService(aService());
const foreign: Deployment = { ...aDeployment(aService()), metadata: { name: 'shirts-server', uid: 'x' } };
const foreignNetwork: Service = { ...network, metadata: { name: 'shirts' } };

function observe(observed: Partial<Observed>): Observed {
  return { service: aService(), finetune: undefined, deployment: undefined, network, pods: [], ...observed };
}

function statusOf(observed: Partial<Observed>): SparseInferenceServiceStatus {
  const all = observe(observed);
  return buildStatus(all, plan(all, settings, now).resolution, settings, now);
}

function summary(status: SparseInferenceServiceStatus, type: string): string {
  const found = findCondition(status.conditions, type);
  return found === undefined ? '' : `${found.status} ${found.reason}`;
}

const deployed = (status: Deployment['status'], generation?: number) => ({
  deployment: aDeployment(aService(), status, generation),
});
const condition = (type: string, status: string, reason: string) => ({
  type,
  status,
  reason,
  message: `${reason}.`,
});
const crash = (terminated: object) => [
  aServerPod({
    state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off' } },
    lastState: { terminated: { exitCode: 1, ...terminated } },
  }),
];
const unschedulable = aServerPod({}, 'c');
unschedulable.status!.conditions = [
  { ...condition('PodScheduled', 'False', 'Unschedulable'), lastTransitionTime: '2026-01-01T00:00:00Z' },
];

function replacing(status: Deployment['status'], replicas = 2): Deployment {
  const { spec, ...rest } = aDeployment(aService({ replicas }), status);
  return withRecord({ ...rest, spec: { ...spec!, strategy: REPLACE } });
}

const pausedOne = ((): Deployment => {
  const { spec, ...rest } = aDeployment(aService(), { ...rolledOut(2), updatedReplicas: 0 });
  return { ...rest, spec: { ...spec!, paused: true } };
})();

/** As an operator whose default image was another one made it. */
const olderImage = ((): Deployment => {
  const built = buildDeployment(aService(), uriModel, { ...settings, image: 'server:0' });
  const metadata = { ...built.metadata, uid: 'deployment-uid', generation: 1 };
  return withRecord({ ...built, metadata, status: rolledOut(2)! });
})();

/** A service that served the model of its URI, and now asks for what `tuned` makes. */
const moved = (finetune: Partial<Observed> = {}): Partial<Observed> => ({
  ...deployed(rolledOut(2)),
  service: aService({ model: { finetuneRef: { name: 'tuned' } } }, { model: uriModel }),
  ...finetune,
});
const ungated = aFinetune({
  ...succeeded,
  conditions: [gone('QualityGatePassed', 'False', 'OutOfBounds'), gone('Succeeded', 'True', 'Succeeded')],
});
const failed = aFinetune({ conditions: [gone('Succeeded', 'False', 'Failed', 'It diverged.')] });
const newPodOf = (replicas: number) => ({
  ...rolledOut(replicas),
  replicas: replicas + 1,
  updatedReplicas: 1,
});
const late = condition('Progressing', 'False', 'ProgressDeadlineExceeded');

type Row = [
  what: string,
  observed: Partial<Observed>,
  wantReady: string,
  wantUpToDate: string,
  wantDeployment: string,
  wantProgress: string,
  wantPhase: string,
];

describe('the status of a service', () => {
  it.each<Row>([
    [
      'without Deployment',
      {},
      'Unknown WaitingForModel',
      'Unknown WaitingForModel',
      'Unknown WaitingForModel',
      'Reconciling',
      'Pending',
    ],
    [
      'whose Deployment nobody has looked at',
      deployed({}),
      'Unknown Updating',
      'Unknown Updating',
      'Unknown Updating',
      'Reconciling',
      'Pending',
    ],
    [
      'with one replica of two',
      deployed({ ...rolledOut(2), readyReplicas: 1, availableReplicas: 1 }),
      'True Serving',
      'True UpToDate',
      'Unknown Updating',
      'Reconciling',
      'Updating',
    ],
    ['that serves', deployed(rolledOut(2)), 'True Serving', 'True UpToDate', 'True Available', '', 'Ready'],
    [
      'whose pods are of an earlier generation',
      deployed(rolledOut(2), 2),
      'True Serving',
      'Unknown Updating',
      'Unknown Updating',
      'Reconciling',
      'Updating',
    ],
    [
      'with an old pod beside the new ones',
      deployed({ ...rolledOut(2), replicas: 3 }),
      'True Serving',
      'Unknown Updating',
      'Unknown Updating',
      'Reconciling',
      'Updating',
    ],
    [
      'whose spec has changed',
      { ...deployed(rolledOut(2)), service: aService({ engine: { steps: 3 } }) },
      'True Serving',
      'Unknown Updating',
      'Unknown Updating',
      'Reconciling',
      'Updating',
    ],
    [
      'without replicas',
      {
        service: aService({ replicas: 0 }),
        deployment: aDeployment(aService({ replicas: 0 }), rolledOut(0)),
      },
      'True ScaledToZero',
      'True UpToDate',
      'True Available',
      '',
      'Ready',
    ],
    [
      'whose pods are refused',
      deployed({ observedGeneration: 1, conditions: [condition('ReplicaFailure', 'True', 'FailedCreate')] }),
      'False FailedCreate',
      'False FailedCreate',
      'False FailedCreate',
      'Reconciling',
      'Pending',
    ],
    [
      'whose new pods are refused',
      deployed({
        ...newPodOf(2),
        conditions: [condition('ReplicaFailure', 'True', 'FailedCreate')],
      }),
      'True Serving',
      'False FailedCreate',
      'False FailedCreate',
      'Reconciling',
      'Degraded',
    ],
    [
      'that takes too long to start',
      deployed({ observedGeneration: 1, replicas: 2, updatedReplicas: 2, conditions: [late] }),
      'False ProgressDeadlineExceeded',
      'False ProgressDeadlineExceeded',
      'False ProgressDeadlineExceeded',
      'Stalled',
      'Failed',
    ],
    [
      'that takes too long to change',
      deployed({ ...newPodOf(2), conditions: [late] }),
      'True Serving',
      'False ProgressDeadlineExceeded',
      'False ProgressDeadlineExceeded',
      'Stalled',
      'Degraded',
    ],
    [
      'whose new pod finds no node',
      { ...deployed(newPodOf(2)), pods: [unschedulable] },
      'True Serving',
      'False Unschedulable',
      'False Unschedulable',
      'Reconciling',
      'Degraded',
    ],
    [
      'whose further replica finds no node',
      { ...deployed({ ...rolledOut(2), readyReplicas: 1, availableReplicas: 1 }), pods: [unschedulable] },
      'True Serving',
      'True UpToDate',
      'False Unschedulable',
      'Reconciling',
      'Degraded',
    ],
    [
      'whose Deployment somebody has paused',
      { deployment: pausedOne, pods: [] },
      'True Serving',
      'False Paused',
      'False Paused',
      'Reconciling',
      'Degraded',
    ],
    [
      'whose pods are replaced one by one',
      { deployment: replacing(newPodOf(2)), pods: [unschedulable] },
      'True Serving',
      'Unknown Replacing',
      'Unknown Replacing',
      'Reconciling',
      'Updating',
    ],
    [
      'whose one pod ends before the next can start',
      {
        service: aService({ replicas: 1 }),
        deployment: replacing({ observedGeneration: 1, replicas: 1, updatedReplicas: 1 }, 1),
        pods: [unschedulable, { ...aServerPod({}, 'b'), metadata: { name: 'b', deletionTimestamp: 'x' } }],
      },
      'Unknown Replacing',
      'Unknown Replacing',
      'Unknown Replacing',
      'Reconciling',
      'Pending',
    ],
    [
      'whose image is missing',
      {
        ...deployed({}),
        pods: [aServerPod({ state: { waiting: { reason: 'ErrImagePull', message: 'no' } } })],
      },
      'False ErrImagePull',
      'False ErrImagePull',
      'False ErrImagePull',
      'Reconciling',
      'Pending',
    ],
    [
      'whose server crashes with a word',
      { ...deployed({}), pods: crash({ message: '{"error": {"reason": "NotSparse", "message": "m"}}' }) },
      'False NotSparse',
      'False NotSparse',
      'False NotSparse',
      'Reconciling',
      'Pending',
    ],
    [
      'whose new server crashes with a word',
      {
        ...deployed(newPodOf(2)),
        pods: crash({ message: '{"error": {"reason": "NotSparse", "message": "m"}}' }),
      },
      'True Serving',
      'False NotSparse',
      'False NotSparse',
      'Reconciling',
      'Degraded',
    ],
    [
      'whose server crashes without one',
      { ...deployed({}), pods: crash({}) },
      'False ServerFailed',
      'False ServerFailed',
      'False ServerFailed',
      'Reconciling',
      'Pending',
    ],
    [
      'whose server needs more memory',
      { ...deployed({}), pods: crash({ reason: 'OOMKilled' }) },
      'False OOMKilled',
      'False OOMKilled',
      'False OOMKilled',
      'Reconciling',
      'Pending',
    ],
    [
      'whose Deployment is another’s',
      { deployment: foreign },
      'False NameConflict',
      'False NameConflict',
      'False NameConflict',
      'Stalled',
      'Failed',
    ],
    [
      'whose Service is another’s',
      { ...deployed(rolledOut(2)), network: foreignNetwork },
      'False NameConflict',
      'False NameConflict',
      'False NameConflict',
      'Stalled',
      'Failed',
    ],
    [
      'whose Deployment was refused for now',
      { refusal: { reason: 'Forbidden', message: 'quota', final: false } },
      'False Forbidden',
      'False Forbidden',
      'False Forbidden',
      'Reconciling',
      'Pending',
    ],
    [
      'whose Deployment was refused for good',
      { refusal: { reason: 'Invalid', message: 'bad', final: true } },
      'False Invalid',
      'False Invalid',
      'False Invalid',
      'Stalled',
      'Failed',
    ],
    [
      'whose new template was refused for good',
      {
        ...deployed(rolledOut(2)),
        service: aService({ engine: { steps: 3 } }),
        refusal: { reason: 'Invalid', message: 'bad', final: true },
      },
      'True Serving',
      'False Invalid',
      'False Invalid',
      'Stalled',
      'Degraded',
    ],
    [
      'whose run does not exist',
      { service: aService({ model: { finetuneRef: { name: 'tuned' } } }) },
      'False FinetuneNotFound',
      'False FinetuneNotFound',
      'Unknown WaitingForModel',
      'Reconciling',
      'Pending',
    ],
    [
      'whose next run does not exist',
      moved(),
      'True Serving',
      'False FinetuneNotFound',
      'True Available',
      'Reconciling',
      'Degraded',
    ],
    [
      'whose next run trains',
      moved({ finetune: aFinetune({ phase: 'Running' }) }),
      'True Serving',
      'Unknown WaitingForFinetune',
      'True Available',
      'Reconciling',
      'Updating',
    ],
    [
      'whose next run failed',
      moved({ finetune: failed }),
      'True Serving',
      'False FinetuneFailed',
      'True Available',
      'Stalled',
      'Degraded',
    ],
    [
      'whose next model failed its gate',
      moved({ finetune: ungated }),
      'True Serving',
      'False OutOfBounds',
      'True Available',
      'Stalled',
      'Degraded',
    ],
    [
      'whose operator has a newer image',
      { deployment: olderImage },
      'True Serving',
      'True OlderImage',
      'True Available',
      '',
      'Ready',
    ],
    [
      'that names its image itself',
      {
        service: aService({ server: { image: 'own:1' } }),
        deployment: aDeployment(aService({ server: { image: 'own:1' } }), rolledOut(2)),
      },
      'True Serving',
      'True UpToDate',
      'True Available',
      '',
      'Ready',
    ],
  ])('%s', (_, observed, wantReady, wantUpToDate, wantDeployment, wantProgress, wantPhase) => {
    const status = statusOf(observed);
    expect(summary(status, 'Ready')).toBe(wantReady);
    expect(summary(status, 'UpToDate')).toBe(wantUpToDate);
    expect(summary(status, 'DeploymentReady')).toBe(wantDeployment);
    const progress = ['Reconciling', 'Stalled'].filter((type) => summary(status, type) !== '');
    expect(progress.join()).toBe(wantProgress);
    expect(status.phase).toBe(wantPhase);
    expect(status.observedGeneration).toBe(2);
  });

  it('tells of a followed run made anew that failed, and is settled all the same', () => {
    const served = { uri: 'pvc://models/tuned', finetune: { name: 'tuned', uid: 'former' } };
    const service = aService({ model: { finetuneRef: { name: 'tuned' }, follow: true } }, { model: served });
    const built = withRecord(buildDeployment(service, served, settings));
    const metadata = { ...built.metadata, uid: 'deployment-uid', generation: 1 };
    const deployment = { ...built, metadata, status: rolledOut(2)! };
    const status = statusOf({ service, deployment, finetune: failed });
    expect(summary(status, 'UpToDate')).toBe('False FinetuneFailed');
    expect(summary(status, 'Ready')).toBe('True Serving');
    expect(summary(status, 'Reconciling') + summary(status, 'Stalled')).toBe('');
    expect(status.model).toEqual(served);
  });

  it('says what to type where an older image runs', () => {
    const message = findCondition(statusOf({ deployment: olderImage }).conditions, 'UpToDate')?.message;
    expect(message).toContain('image server:0');
    expect(message).toContain('default image is now server:1');
    expect(message).toContain('kubectl annotate sis/shirts -n ml --overwrite sparsedm.io/restarted-at=');
  });

  it('gives the command for the log of a server that ended without a word', () => {
    const { conditions } = statusOf({ ...deployed({}), pods: crash({}) });
    expect(findCondition(conditions, 'DeploymentReady')?.message).toBe(
      'The server ended with exit code 1: "kubectl logs a --namespace ml --container server --previous" says why.',
    );
  });

  it('says where manual changes are not restored, because the Deployment is too long to be recorded', () => {
    const long = aService({ server: { env: [{ name: 'LONG', value: 'x'.repeat(128 * 1024) }] } });
    const messageOf = (service: SparseInferenceService) => {
      const deployment = aDeployment(service, rolledOut(2));
      return findCondition(statusOf({ service, deployment }).conditions, 'UpToDate')?.message;
    };
    expect(messageOf(aService())).toBe('The wanted version is the one that runs.');
    expect(messageOf(long)).toContain('what others change in it is not restored: shorten spec.server.');
  });

  it('says that what serves goes on, only where something does', () => {
    const messageOf = (observed: Partial<Observed>) =>
      findCondition(statusOf(observed).conditions, 'UpToDate')?.message;
    expect(messageOf(moved())).toContain('keeps serving');
    expect(messageOf({ ...deployed({}), pods: crash({}) })).not.toContain('keeps serving');
  });

  it('has a URL only while the Service is its own', () => {
    expect(statusOf({}).url).toBe('http://shirts.ml.svc');
    const before = { url: 'http://shirts.ml.svc' };
    expect(statusOf({ service: aService({}, before), network: foreignNetwork }).url).toBeUndefined();
  });

  it('keeps what the servers reported', () => {
    const engine = { backend: 'dense', device: 'cpu' };
    expect(statusOf({ service: aService({}, { engine }) }).engine).toEqual(engine);
  });

  it('says how far a server has come while one is not ready', () => {
    const loading = { phase: 'Reading', percent: 42 };
    const service = aService({}, { loading });
    const half = { ...rolledOut(2)!, readyReplicas: 1 };
    expect(statusOf({ ...deployed(half), service }).loading).toEqual(loading);
    expect(statusOf({ ...deployed(rolledOut(2)), service }).loading).toBeUndefined();
  });

  it('is the same in a second pass', () => {
    const first = statusOf(deployed(rolledOut(2)));
    expect(statusOf({ ...deployed(rolledOut(2)), service: aService({}, first) })).toEqual(first);
  });

  it('counts no pods of another’s Deployment', () => {
    expect(statusOf({ deployment: { ...foreign, status: rolledOut(7)! } })).toMatchObject({
      replicas: 0,
      readyReplicas: 0,
    });
  });
});

describe('the models of a status', () => {
  const tunedModel = { uri: 'pvc://models/tuned', finetune: { name: 'tuned', uid: 'finetune-uid' } };
  const asksFor = (status: SparseInferenceServiceStatus) =>
    aService({ model: { finetuneRef: { name: 'tuned' } } }, status);
  const ofTuned = (counts: Deployment['status']): Deployment => {
    const built = withRecord(
      buildDeployment(asksFor({}), { ...tunedModel, sha256: 'a'.repeat(64) }, settings),
    );
    return {
      ...built,
      metadata: { ...built.metadata, uid: 'deployment-uid', generation: 1 },
      status: counts!,
    };
  };
  const done = aFinetune(succeeded);

  it.each<[string, Partial<Observed>, string | undefined, string | undefined]>([
    ['the first, before it serves', deployed({}), undefined, uriModel.uri],
    ['the first, when it serves', deployed(rolledOut(2)), uriModel.uri, undefined],
    [
      'the first, as soon as a pod is ready',
      deployed({ ...rolledOut(2), readyReplicas: 1, availableReplicas: 0 }),
      uriModel.uri,
      undefined,
    ],
    ['the next, before its template is there', moved({ finetune: done }), uriModel.uri, 'pvc://models/tuned'],
    [
      'the next, while the last one serves',
      { service: asksFor({ model: uriModel }), finetune: done, deployment: ofTuned(newPodOf(2)) },
      uriModel.uri,
      'pvc://models/tuned',
    ],
    [
      'the next, when the last pod has gone',
      { service: asksFor({ model: uriModel }), finetune: done, deployment: ofTuned(rolledOut(2)) },
      'pvc://models/tuned',
      undefined,
    ],
    ['one that was refused', moved({ finetune: ungated }), uriModel.uri, undefined],
    [
      'one that was refused by the API server',
      { ...moved({ finetune: done }), refusal: { reason: 'Invalid', message: 'bad', final: true } },
      uriModel.uri,
      'pvc://models/tuned',
    ],
    [
      'one whose name the spec no longer has, when its pods come all the same',
      {
        service: aService(
          { model: { finetuneRef: { name: 'third' } } },
          { model: uriModel, wanted: { ...tunedModel, sha256: 'a'.repeat(64) } },
        ),
        deployment: ofTuned(rolledOut(2)),
      },
      'pvc://models/tuned',
      undefined,
    ],
    [
      'the same, without pods',
      {
        service: aService({ replicas: 0 }, { model: uriModel }),
        deployment: aDeployment(aService({ replicas: 0 }), rolledOut(0)),
      },
      uriModel.uri,
      undefined,
    ],
  ])('%s', (_, observed, wantServed, wantNext) => {
    const { model, wanted } = statusOf(observed);
    expect(model?.uri).toBe(wantServed);
    expect(wanted?.uri).toBe(wantNext);
  });
});

describe('what is written next', () => {
  const reference = { finetuneRef: { name: 'tuned' } };
  const done = aFinetune(succeeded);
  const summaryOf = (observed: Partial<Observed>) => {
    const planned = plan(observe(observed), settings, now);
    return [
      planned.network !== undefined,
      planned.deployment?.metadata.uid ?? planned.deployment !== undefined,
      planned.deployment?.spec?.replicas,
      planned.replicas,
    ];
  };

  const nothing = [false, false, undefined, undefined];
  const narrow = { qualityGate: { maxFidIncrease: '1' } };
  const tunedModel = {
    uri: 'pvc://models/tuned',
    sha256: 'a'.repeat(64),
    finetune: { name: 'tuned', uid: 'finetune-uid' },
    fid: succeeded.fid!,
  };
  const ofTuned = () => {
    const built = withRecord(buildDeployment(aService({ model: reference }), tunedModel, settings));
    const metadata = { ...built.metadata, uid: 'deployment-uid', generation: 1 };
    return { ...built, metadata, status: rolledOut(2)! };
  };

  // The Service, the Deployment (its uid when it is changed), replicas applied with it, replicas applied apart.
  it.each<[string, Partial<Observed>, unknown[]]>([
    ['both, when there is none', { network: undefined }, [true, true, 2, undefined]],
    [
      'the Service alone, while there is no model',
      { network: undefined, service: aService({ model: reference }) },
      [true, false, undefined, undefined],
    ],
    ['nothing, when all is as it should be', deployed(rolledOut(2)), nothing],
    [
      'the replicas',
      { ...deployed(rolledOut(2)), service: aService({ replicas: 5 }) },
      [false, false, undefined, 5],
    ],
    [
      'a new template',
      { ...deployed(rolledOut(2)), service: aService({ engine: { steps: 1 } }) },
      [false, 'deployment-uid', undefined, undefined],
    ],
    [
      'the model of a run that succeeded',
      { service: aService({ model: reference }), finetune: done },
      [false, true, 2, undefined],
    ],
    [
      'nothing, when the next model is beyond the gate',
      { ...deployed(rolledOut(2)), service: aService({ model: reference, ...narrow }), finetune: done },
      nothing,
    ],
    [
      'the replicas of what serves, when the next model is beyond the gate',
      {
        ...deployed(rolledOut(2)),
        service: aService({ model: reference, ...narrow, replicas: 4 }),
        finetune: done,
      },
      [false, false, undefined, 4],
    ],
    [
      'no pods of the very model that serves, when the gate is narrowed',
      { deployment: ofTuned(), service: aService({ model: reference, ...narrow }, { model: tunedModel }) },
      [false, false, undefined, 0],
    ],
    [
      'the template of what serves, when the gate is narrowed while the next one comes',
      {
        deployment: ofTuned(),
        service: aService({ model: reference, ...narrow }, { model: uriModel, wanted: tunedModel }),
      },
      [false, 'deployment-uid', undefined, undefined],
    ],
    ['nothing of another’s', { deployment: foreign, network: foreignNetwork }, nothing],
  ])('%s', (_, observed, want) => {
    expect(summaryOf(observed)).toEqual(want);
  });
});

describe('the events of a change', () => {
  it.each<[string, SparseInferenceServiceStatus | undefined, Partial<Observed>, string[]]>([
    ['that becomes ready', undefined, deployed(rolledOut(2)), ['Normal ModelServed', 'Normal Ready']],
    ['that stays ready', statusOf(deployed(rolledOut(2))), deployed(rolledOut(2)), []],
    [
      'that learns a digest',
      { ...statusOf(deployed(rolledOut(2))), model: { uri: 'pvc://models/shirts' } },
      deployed(rolledOut(2)),
      [],
    ],
    [
      'that starts to crash',
      statusOf(deployed({})),
      { ...deployed({}), pods: crash({}) },
      ['Warning ServerFailed'],
    ],
    ['that is made', undefined, deployed({}), ['Normal ModelChosen']],
    [
      'whose next model was refused',
      statusOf(moved({ finetune: aFinetune({ phase: 'Running' }) })),
      moved({ finetune: ungated }),
      ['Warning OutOfBounds'],
    ],
    [
      'whose next model is on its way',
      statusOf(moved({ finetune: aFinetune({ phase: 'Running' }) })),
      moved({ finetune: aFinetune(succeeded) }),
      ['Normal ModelChosen'],
    ],
    [
      'that serves no more',
      statusOf(deployed(rolledOut(2))),
      { ...deployed({ ...rolledOut(2), readyReplicas: 0, availableReplicas: 0 }), pods: crash({}) },
      ['Warning ServerFailed', 'Warning NotServing'],
    ],
    [
      'that is scaled to nothing',
      statusOf(deployed(rolledOut(2))),
      { ...deployed(rolledOut(2)), service: aService({ replicas: 0 }) },
      ['Normal ScaledToZero'],
    ],
    [
      'whose operator has a newer image',
      statusOf(deployed(rolledOut(2))),
      { deployment: olderImage },
      ['Normal OlderImage'],
    ],
  ])('%s', (_, before, observed, want) => {
    const status = statusOf(observed);
    const found = transitions({ ...aService({}), ...(before && { status: before }) }, status);
    expect(found.map(({ type, reason }) => `${type} ${reason}`)).toEqual(want);
  });
});
