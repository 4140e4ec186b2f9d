import { describe, expect, it } from 'vitest';
import { aFinetune, aJob, aPod, ended, running, settings, terminated } from '../../test/support/finetune';
import { timeline } from '../../test/support/timeline';
import type { Job, Pod } from '../kube/resources';
import { buildJob } from './job';
import { buildService } from './nodes';
import { plan } from './plan';

const two = { trainer: { nodes: 2 } };
const job = aJob(aFinetune(two));

type PodStatus = NonNullable<Pod['status']>;

function pod(index: number, name: string, status: PodStatus, createdAt?: string): Pod {
  const made = aPod(job, name, status, createdAt);
  const labels = { 'batch.kubernetes.io/job-completion-index': String(index) };
  return { ...made, metadata: { ...made.metadata, labels } };
}

describe('the Job of two pods', () => {
  const { spec } = buildJob(aFinetune(two), settings);
  const container = spec!.template.spec!.containers[0]!;

  it('numbers them, and does not count one that only lost the other', () => {
    expect(spec).toMatchObject({ completionMode: 'Indexed', completions: 2, parallelism: 2 });
    const { rules } = spec!.podFailurePolicy!;
    expect(rules[1]).toEqual({
      action: 'Ignore',
      onExitCodes: { containerName: 'trainer', operator: 'In', values: [6] },
    });
    expect(rules.at(-1)).toMatchObject({ action: 'FailJob' });
  });

  it('tells them where pod 0 is, by the name that the Service gives it, and gives them shared memory', () => {
    const service = buildService(aFinetune(two));
    expect(service.metadata.name).toBe('shirts-train');
    expect(service.spec).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true });
    expect(spec!.template.metadata?.labels).toMatchObject(service.spec!.selector!);
    expect(spec!.template.spec?.subdomain).toBe('shirts-train');
    expect(container.env).toEqual(
      expect.arrayContaining([
        { name: 'SPARSEDM_NODES', value: '2' },
        { name: 'SPARSEDM_RENDEZVOUS', value: 'shirts-train-0.shirts-train:29500' },
      ]),
    );
    expect(container.volumeMounts).toContainEqual({ name: 'shm', mountPath: '/dev/shm' });
  });

  it('follows its Service, which is made again where it went', () => {
    const finetune = aFinetune(two);
    const service = buildService(finetune);
    const actionOf = (observed: { job?: Job; service?: typeof service; pods?: Pod[] }) =>
      plan({ finetune, job: undefined, pods: [], ...observed }, settings, new Date()).action;
    expect(actionOf({})).toBe('createService');
    expect(actionOf({ service })).toBe('createJob');
    const both = [pod(0, 'a0', running), pod(1, 'a1', running)];
    expect(actionOf({ job, service, pods: both })).toBe('none');
    expect(actionOf({ job, pods: both })).toBe('createService');
    expect(actionOf({ job: { ...job, status: ended('Failed')! } })).toBe('none');
  });
});

it('two pods train when both are there, and start again together when one has ended', () => {
  const see = timeline(two);
  const unscheduled = {
    phase: 'Pending',
    conditions: [
      { type: 'PodScheduled', status: 'False' as const, reason: 'Unschedulable', message: 'No GPU is free.' },
    ],
  };
  const first = [pod(0, 'a0', running), pod(1, 'a1', running)];

  expect(see({ job, pods: [first[0]!] }).line).toBe('Pending WaitingForPod');
  const waits = see({ job, pods: [first[0]!, pod(1, 'a1', unscheduled)] });
  expect(waits).toMatchObject({ line: 'Pending Unschedulable', message: 'No GPU is free.' });
  expect(see({ job, pods: first }).line).toBe('Running Running');

  const killed = pod(1, 'a1', terminated({ exitCode: 137 }));
  const lost = pod(0, 'a0', terminated({ exitCode: 6 }));
  const retries = see({ job, pods: [killed, lost] });
  expect(retries.line).toBe('Pending Retrying');
  expect(retries.message).toContain('An attempt failed');
  expect(retries.message).toContain('exit code 137');
  // The one that lost the other goes first, which is no trouble of its own.
  expect(
    see({ job, pods: [killed, pod(0, 'a0', terminated({ exitCode: 6 }), '2026-01-01T00:00:01Z')] }).message,
  ).toContain('exit code 137');

  const again = [
    pod(0, 'b0', running, '2026-01-01T00:10:00Z'),
    pod(1, 'b1', running, '2026-01-01T00:10:00Z'),
  ];
  const goesOn = see({ job, pods: [killed, lost, ...again] });
  expect(goesOn).toMatchObject({
    line: 'Running Running',
    finetune: { status: { attempts: { number: 2 } } },
  });

  // Pod 1 has ended; pod 0 still says what came out.
  const done = pod(1, 'b1', terminated({ exitCode: 0 }), '2026-01-01T00:10:00Z');
  expect(see({ job, pods: [again[0]!, done] }).line).toBe('Running Running');
  const result = JSON.stringify({ model: { uri: 'pvc://models/shirts', sha256: 'b'.repeat(64) } });
  const reported = pod(0, 'b0', terminated({ exitCode: 0, message: result }), '2026-01-01T00:10:00Z');
  const end = see({ job: { ...job, status: ended('Complete')! }, pods: [reported, done] });
  expect(end).toMatchObject({
    line: 'Succeeded Succeeded',
    finetune: { status: { attempts: { number: 2 }, model: { uri: 'pvc://models/shirts' } } },
  });
});

it('the end of two pods is told by the one that failed by itself', () => {
  const see = timeline(two);
  const words = JSON.stringify({ error: { reason: 'DatasetNotFound', message: 'There is no data set.' } });
  const failed = { ...job, status: ended('Failed', 'PodFailurePolicy')! };
  const pods = [
    pod(1, 'a1', terminated({ exitCode: 3, message: words })),
    pod(0, 'a0', terminated({ exitCode: 6 }), '2026-01-01T00:00:01Z'),
  ];
  expect(see({ job: failed, pods })).toMatchObject({
    line: 'Failed DatasetNotFound',
    message: 'There is no data set.',
  });
});
