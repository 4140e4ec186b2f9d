import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { aService } from '../../test/support/inference';
import type { QualityGate, SparseInferenceServiceSpec } from '../api/types';
import { judgeGate } from '../api/gate';
import { figuresAsServed, servedPrecision } from './served-figures';

type Engine = SparseInferenceServiceSpec['engine'];
type Server = SparseInferenceServiceSpec['server'];

const gpu: Server = { resources: { limits: { 'nvidia.com/gpu': 1 } } };
const mig: Server = { resources: { limits: { 'nvidia.com/mig-1g.10gb': 1 } } };
const cpu: Server = { resources: { limits: { cpu: 4, 'amd.com/gpu': 1 } } };

function serving(engine: Engine, server?: Server) {
  return aService({ ...(engine && { engine }), ...(server && { server }) });
}

describe('the precision that is served', () => {
  it.each<[string, Engine, Server, string]>([
    ['as asked for', { precision: 'fp16' }, gpu, 'fp16'],
    ['as asked for without a GPU', { precision: 'bf16' }, undefined, 'bf16'],
    ['bf16 by auto on an NVIDIA GPU', { precision: 'auto' }, gpu, 'bf16'],
    ['bf16 by auto on a part of one', undefined, mig, 'bf16'],
    ['fp32 by auto anywhere else', undefined, cpu, 'fp32'],
    ['fp32 by auto without resources', undefined, undefined, 'fp32'],
  ])('is %s', (_, engine, server, want) => {
    expect(servedPrecision(serving(engine, server))).toBe(want);
  });

  type Case = {
    precision: 'auto' | 'fp32' | 'bf16' | 'fp16';
    capability: [number, number] | null;
    served: string;
  };

  /** The servers' own rule is held to the same cases (test_serve_engine.py). */
  const shared = JSON.parse(readFileSync('images/sparsedm/tests/precision_cases.json', 'utf8')) as Case[];

  it.each(shared)('of $precision with compute capability $capability is $served', (one) => {
    const { precision, capability, served } = one;
    const nodeSelector = { 'nvidia.com/gpu.compute.major': String(capability?.[0]) };
    const server = capability === null ? cpu : { ...gpu, nodeSelector };
    expect(servedPrecision(serving({ precision }, server))).toBe(served);
  });

  it.each([
    ['turing', 'fp32'],
    ['volta', 'fp32'],
    ['ampere', 'bf16'],
    ['hopper', 'bf16'],
  ])('by auto on a GPU of family %s is %s', (family, want) => {
    const server = { ...gpu, nodeSelector: { 'nvidia.com/gpu.family': family } };
    expect(servedPrecision(serving(undefined, server))).toBe(want);
  });
});

describe('the figures of a model as it is served', () => {
  const fid = { metric: 'fd-x', dense: '100', sparse: '101', increase: '1', precision: 'fp32' };
  const measured = { ...fid, served: [{ precision: 'bf16', sparse: '104', increase: '4' }] };
  const gate: QualityGate = { maxFidIncrease: '2' };

  function judged(engine: Engine, model: object | undefined) {
    const { figures, note } = figuresAsServed(serving(engine), model === undefined ? {} : { fid: model });
    const { passed, message } = judgeGate(gate, figures);
    return [passed, `${message}${note}`];
  }

  it('are those in its precision', () => {
    expect(judged({ precision: 'bf16' }, measured)).toEqual([
      false,
      'The increase of fd-x in bf16 is 4, above 2.',
    ]);
    expect(judged({ precision: 'fp32' }, measured)).toEqual([
      true,
      'The increase of fd-x in fp32 is 1, within 2.',
    ]);
  });

  it('are those that there are, with a note, where its precision was not measured', () => {
    expect(judged({ precision: 'fp16' }, measured)).toEqual([
      true,
      'The increase of fd-x in fp32 is 1, within 2. It was measured in fp32, and fp16 is served, of which nothing is known: write evaluation.servedPrecisions: [fp16] in a new SparseFinetune.',
    ]);
  });

  it('are unknown where its precision gave no figure', () => {
    const broken = { ...fid, served: [{ precision: 'fp16', problem: 'Some images in fp16 hold NaN.' }] };
    expect(judged({ precision: 'fp16' }, broken)).toEqual([
      undefined,
      "The increase of fd-x in fp16 isn't known. Some images in fp16 hold NaN.",
    ]);
  });

  it('of an earlier trainer count as fp32', () => {
    const { precision: _, ...earlier } = fid;
    expect(judged(undefined, earlier)).toEqual([true, 'The increase of fd-x is 1, within 2.']);
    expect(judged({ precision: 'bf16' }, earlier)[1]).toContain('measured in fp32, and bf16 is served');
  });

  it('say nothing of a model without figures', () => {
    expect(judged({ precision: 'bf16' }, undefined)).toEqual([
      undefined,
      "The increase of distance isn't known.",
    ]);
  });
});
