import { describe, expect, test } from 'vitest';
import { aFinetune, aJob, aPod, ended, running, settings, startedAt } from '../../test/support/finetune';
import { controlsDiffer } from '../finetune/job';
import { plan } from '../finetune/plan';
import { judge } from '../finetune/situation';
import { cachedJob, cachedPod } from './cached';
import type { Pod } from './resources';

const finetune = aFinetune({ activeDeadlineSeconds: 60 });
const job = { ...aJob(finetune), spec: { ...aJob(finetune).spec!, activeDeadlineSeconds: 60 } };

describe('a cached Job', () => {
  test('keeps what tells whether it follows its spec', () => {
    expect(cachedJob(job).spec).toEqual({ backoffLimit: 3, activeDeadlineSeconds: 60 });
    expect(controlsDiffer(finetune, cachedJob(job))).toBe(false);
    const suspended = aFinetune({ suspend: true });
    expect(cachedJob(aJob(suspended)).spec).toMatchObject({ suspend: true });
    expect(controlsDiffer(suspended, cachedJob(aJob(suspended)))).toBe(false);
  });

  test('keeps owner, labels of ours and status', () => {
    const done = aJob(finetune, ended('Complete', 'CompletionsReached'));
    const foreign = { ...done.metadata.labels, 'batch.kubernetes.io/job-name': 'x' };
    const cached = cachedJob({ ...done, metadata: { ...done.metadata, labels: foreign } });
    expect(cached.metadata.ownerReferences).toEqual(done.metadata.ownerReferences);
    expect(cached.metadata.labels).toEqual(done.metadata.labels);
    expect(cached.status).toEqual(done.status);
  });

  test('leads to the same plan as the whole one', () => {
    const whole = { finetune, job, pods: [] };
    const now = new Date(startedAt);
    expect(plan({ ...whole, job: cachedJob(job) }, settings, now)).toEqual(plan(whole, settings, now));
  });

  test('has no template', () => {
    expect(cachedJob(job).spec).not.toHaveProperty('template');
    expect(job.spec).toHaveProperty('template');
  });
});

describe('a cached pod', () => {
  const pod = aPod(job, 'a', { ...running, hostIP: '10.0.0.1' });

  test('is judged like the whole one', () => {
    const kinds = [pod, cachedPod(pod)].map(
      (each) => judge({ finetune, job, pods: [each] }, new Date(startedAt)).kind,
    );
    expect(kinds).toEqual(['running', 'running']);
  });

  test('has its node, and neither the rest of its spec nor addresses', () => {
    expect(cachedPod(pod)).not.toHaveProperty('spec');
    const spec = { nodeName: 'gpu-1', containers: [{ name: 'trainer' }] };
    expect(cachedPod({ ...pod, spec }).spec).toEqual({ nodeName: 'gpu-1' });
    expect(cachedPod(pod).status).not.toHaveProperty('hostIP');
  });
});

describe('a cached pod of a server', () => {
  const labels = { 'sparsedm.io/service': 'shirts', 'pod-template-hash': '1', app: 'x' };
  const spec = {
    nodeName: 'n',
    nodeSelector: { gpu: 'yes' },
    containers: [{ name: 'server', image: 'i', resources: { limits: { cpu: '1' } } }],
    volumes: [
      { name: 'tmp', emptyDir: {} },
      { name: 'c', persistentVolumeClaim: { claimName: 'models' } },
    ],
  };
  const pod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a', labels }, spec };

  test('keeps its template and what it needs of a node', () => {
    const cached = cachedPod(pod);
    expect(cached.metadata.labels).toEqual({ 'sparsedm.io/service': 'shirts', 'pod-template-hash': '1' });
    expect(cached.spec).toEqual({
      nodeName: 'n',
      nodeSelector: { gpu: 'yes' },
      containers: [{ name: 'server', resources: { limits: { cpu: '1' } } }],
      volumes: [{ name: 'c', persistentVolumeClaim: { claimName: 'models' } }],
    });
  });
});
