import { describe, expect, it } from 'vitest';
import { aFinetune } from '../../test/support/finetune';
import { USES_GPU } from '../api/conditions';
import type { Node } from '../kube/resources';
import { ApiError } from '../runtime/errors';
import { createGpuCount, gpusAsked, gpuVerdict } from './gpus';

const node = (name: string, allocatable: Record<string, string>): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  status: { allocatable },
});

describe('the GPUs of the cluster', () => {
  const countOver = (list: () => Promise<Node[]>) => {
    let now = 0;
    let asked = 0;
    const clock = { monotonic: () => now };
    const count = createGpuCount(() => {
      asked += 1;
      return list();
    }, clock);
    return { count, asked: () => asked, pass: (ms: number) => void (now += ms) };
  };

  it('are those of nodes that offer some, counted once in ten minutes', async () => {
    const all = [node('a', { cpu: '8', 'nvidia.com/gpu': '8' }), node('b', { cpu: '8' })];
    const { count, asked, pass } = countOver(() => Promise.resolve(all));
    expect(await count()).toEqual({ nodes: 1, gpus: 8 });
    pass(599_999);
    await count();
    expect(asked()).toBe(1);
    pass(1);
    await count();
    expect(asked()).toBe(2);
  });

  it('are unknown without the right to list nodes, and a request that failed is made again', async () => {
    const forbidden = new ApiError({ status: 403, reason: 'Forbidden', message: 'no' });
    expect(await countOver(() => Promise.reject(forbidden)).count()).toBeUndefined();
    const { count, asked } = countOver(() => Promise.reject(new Error('reset')));
    await expect(count()).rejects.toThrow('reset');
    await expect(count()).rejects.toThrow('reset');
    expect(asked()).toBe(2);
  });
});

describe('a run that asks', () => {
  const asking = (limits: Record<string, string | number>) =>
    aFinetune({ trainer: { resources: { limits } } });
  it.each([
    [{}, 0],
    [{ cpu: '4', memory: '8Gi' }, 0],
    [{ 'nvidia.com/gpu': '2' }, 2],
    [{ 'amd.com/gpu': 1 }, 1],
    [{ 'nvidia.com/mig-1g.10gb': '1' }, 1],
  ])('for %j asks for %i GPUs', (limits, want) => {
    expect(gpusAsked(asking(limits))).toBe(want);
  });

  const onCpu = { device: 'CPU (AMD EPYC)', gpus: 0 };
  const cluster = { nodes: 2, gpus: 12 };
  it('for none, on a CPU beside GPUs, is told what the cluster has and what to write', () => {
    const verdict = gpuVerdict(aFinetune(), onCpu, cluster);
    expect(verdict).toMatchObject({ status: 'False', reason: 'NoGPUAsked' });
    expect(verdict?.message).toContain('runs on CPU (AMD EPYC)');
    expect(verdict?.message).toContain('2 nodes of the cluster offer 12 of nvidia.com/gpu');
    expect(verdict?.message).toContain('nvidia.com/gpu: 1 in these limits');
  });

  it('keeps what it was told while nothing is counted', () => {
    const { status, reason, message } = gpuVerdict(aFinetune(), onCpu, cluster)!;
    const told = { type: USES_GPU, status, reason, message, lastTransitionTime: '2026-01-01T00:00:00Z' };
    const before = aFinetune({}, { conditions: [told] });
    expect(gpuVerdict(before, onCpu, undefined)).toEqual({ status, reason, message });
    expect(gpuVerdict(before, { device: 'NVIDIA H200', gpus: 1 }, undefined)).toBeUndefined();
  });

  it.each([
    ['before the trainer has said where it runs', aFinetune(), undefined, cluster],
    ['on a GPU', aFinetune(), { device: 'NVIDIA H200', gpus: 1 }, cluster],
    ['for a GPU', asking({ 'nvidia.com/gpu': '1' }), onCpu, cluster],
    ['where there are none', aFinetune(), onCpu, { nodes: 0, gpus: 0 }],
    ['where they are not counted', aFinetune(), onCpu, undefined],
  ])('is told nothing %s', (_, finetune, trainer, found) => {
    expect(gpuVerdict(finetune, trainer, found)).toBeUndefined();
  });
});
