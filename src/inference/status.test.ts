import { describe, expect, it } from 'vitest';
import type { SparseInferenceServiceStatus } from '../api/types';
import { findCondition } from '../kube/conditions';
import type { Deployment, Service } from '../kube/resources';
import { aDeployment, aFinetune, aServerPod, aService, rolledOut, settings, succeeded } from './fixtures';
import { plan, type Observed } from './plan';
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
  return buildStatus(all, plan(all, settings).resolution, now);
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

describe('the status of a service', () => {
  it.each<[string, Partial<Observed>, string, string, string]>([
    ['without Deployment', {}, 'Unknown WaitingForModel', 'Unknown WaitingForModel', 'Pending'],
    [
      'whose Deployment nobody has looked at',
      deployed({}),
      'Unknown Updating',
      'Unknown Updating',
      'Pending',
    ],
    [
      'with one replica of two',
      deployed({ ...rolledOut(2), readyReplicas: 1, availableReplicas: 1 }),
      'Unknown Updating',
      'Unknown Updating',
      'Updating',
    ],
    ['that serves', deployed(rolledOut(2)), 'True Available', 'True Serving', 'Ready'],
    [
      'whose pods are of an earlier generation',
      deployed(rolledOut(2), 2),
      'Unknown Updating',
      'Unknown Updating',
      'Updating',
    ],
    [
      'with an old pod beside the new ones',
      deployed({ ...rolledOut(2), replicas: 3 }),
      'Unknown Updating',
      'Unknown Updating',
      'Updating',
    ],
    [
      'whose spec has changed',
      { ...deployed(rolledOut(2)), service: aService({ engine: { steps: 3 } }) },
      'Unknown Updating',
      'Unknown Updating',
      'Updating',
    ],
    [
      'without replicas',
      {
        service: aService({ replicas: 0 }),
        deployment: aDeployment(aService({ replicas: 0 }), rolledOut(0)),
      },
      'True Available',
      'False ScaledToZero',
      'Pending',
    ],
    [
      'whose pods are refused',
      deployed({ observedGeneration: 1, conditions: [condition('ReplicaFailure', 'True', 'FailedCreate')] }),
      'False FailedCreate',
      'False FailedCreate',
      'Pending',
    ],
    [
      'that takes too long',
      deployed({
        ...rolledOut(1),
        conditions: [condition('Progressing', 'False', 'ProgressDeadlineExceeded')],
      }),
      'False ProgressDeadlineExceeded',
      'False ProgressDeadlineExceeded',
      'Degraded',
    ],
    [
      'whose image is missing',
      {
        ...deployed({}),
        pods: [aServerPod({ state: { waiting: { reason: 'ErrImagePull', message: 'no' } } })],
      },
      'False ErrImagePull',
      'False ErrImagePull',
      'Pending',
    ],
    [
      'whose server crashes with a word',
      { ...deployed({}), pods: crash({ message: '{"error": {"reason": "NotSparse", "message": "m"}}' }) },
      'False NotSparse',
      'False NotSparse',
      'Pending',
    ],
    [
      'whose server crashes without one',
      { ...deployed({}), pods: crash({}) },
      'False ServerFailed',
      'False ServerFailed',
      'Pending',
    ],
    [
      'whose server needs more memory',
      { ...deployed({}), pods: crash({ reason: 'OOMKilled' }) },
      'False OOMKilled',
      'False OOMKilled',
      'Pending',
    ],
    [
      'whose Deployment is another’s',
      { deployment: foreign },
      'False NameConflict',
      'False NameConflict',
      'Pending',
    ],
    [
      'whose Service is another’s',
      { ...deployed(rolledOut(2)), network: foreignNetwork },
      'False NameConflict',
      'False NameConflict',
      'Degraded',
    ],
    [
      'whose Deployment was refused for now',
      { refusal: { reason: 'Forbidden', message: 'quota', final: false } },
      'False Forbidden',
      'False Forbidden',
      'Pending',
    ],
    [
      'whose Deployment was refused for good',
      { refusal: { reason: 'Invalid', message: 'bad', final: true } },
      'False Invalid',
      'False Invalid',
      'Failed',
    ],
    [
      'whose run does not exist',
      { service: aService({ model: { finetuneRef: { name: 'tuned' } } }) },
      'Unknown WaitingForModel',
      'False FinetuneNotFound',
      'Pending',
    ],
    [
      'whose next model is not ready while the last one serves',
      { ...deployed(rolledOut(2)), service: aService({ model: { finetuneRef: { name: 'tuned' } } }) },
      'True Available',
      'False FinetuneNotFound',
      'Updating',
    ],
  ])('%s', (_, observed, wantDeployment, wantReady, wantPhase) => {
    const status = statusOf(observed);
    expect(summary(status, 'DeploymentReady')).toBe(wantDeployment);
    expect(summary(status, 'Ready')).toBe(wantReady);
    expect(status.phase).toBe(wantPhase);
    expect(status.observedGeneration).toBe(2);
    expect(summary(status, 'Stalled') !== '').toBe(wantPhase === 'Failed');
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

describe('what is written next', () => {
  const reference = { finetuneRef: { name: 'tuned' } };
  const done = aFinetune(succeeded);
  const summaryOf = (observed: Partial<Observed>) => {
    const planned = plan(observe(observed), settings);
    return [
      planned.network !== undefined,
      planned.deployment?.spec?.replicas,
      planned.deployment?.metadata.uid,
    ];
  };

  it.each<[string, Partial<Observed>, unknown[]]>([
    ['both, when there is none', { network: undefined }, [true, 2, undefined]],
    [
      'the Service alone, while there is no model',
      { network: undefined, service: aService({ model: reference }) },
      [true, undefined, undefined],
    ],
    ['nothing, when all is as it should be', deployed(rolledOut(2)), [false, undefined, undefined]],
    [
      'the replicas',
      { ...deployed(rolledOut(2)), service: aService({ replicas: 5 }) },
      [false, 5, 'deployment-uid'],
    ],
    [
      'a new template',
      { ...deployed(rolledOut(2)), service: aService({ engine: { steps: 1 } }) },
      [false, 2, 'deployment-uid'],
    ],
    [
      'the model of a run that succeeded',
      { service: aService({ model: reference }), finetune: done },
      [false, 2, undefined],
    ],
    [
      'no pods of a model beyond the gate',
      {
        ...deployed(rolledOut(2)),
        service: aService({ model: reference, qualityGate: { maxFidIncrease: '1' } }),
        finetune: done,
      },
      [false, 0, 'deployment-uid'],
    ],
    ['nothing of another’s', { deployment: foreign, network: foreignNetwork }, [false, undefined, undefined]],
  ])('%s', (_, observed, want) => {
    expect(summaryOf(observed)).toEqual(want);
  });
});

describe('the events of a change', () => {
  it.each<[string, SparseInferenceServiceStatus | undefined, Partial<Observed>, string[]]>([
    ['that becomes ready', undefined, deployed(rolledOut(2)), ['Normal ModelChosen', 'Normal Ready']],
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
  ])('%s', (_, before, observed, want) => {
    const status = statusOf(observed);
    const found = transitions(aService({}, before), status);
    expect(found.map(({ type, reason }) => `${type} ${reason}`)).toEqual(want);
  });
});
