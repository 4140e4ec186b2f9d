import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import type { SparseFinetune, SparseInferenceService } from '../api/types';
import type { KubeClient, StatusOptions } from '../kube/client';
import { ObjectStore } from '../runtime/cache/store';
import { ApiError } from '../runtime/errors';
import { createSink, withFinetuneReport, withServiceReport } from './sink';

const now = new Date('2026-01-01T00:00:00Z');

describe('a status with a report in it', () => {
  it('has the new parts, the rest as before, and our time', () => {
    const before = {
      phase: 'Running' as const,
      progress: { step: 1, loss: '0.5' },
      attempts: { number: 2 },
      fid: { dense: '1' },
    };
    const report = {
      progress: { step: 2, reportedAt: '1999-01-01T00:00:00Z' },
      attempt: { resumedFromStep: 1 },
    };
    expect(withFinetuneReport(before, report, now)).toEqual({
      ...before,
      progress: { step: 2, loss: '0.5', reportedAt: '2026-01-01T00:00:00Z' },
      attempts: { number: 2, resumedFromStep: 1 },
    });
  });

  it('has no time left of an earlier trainer, as one that has just begun knows of none', () => {
    const before = { progress: { step: 5, phase: 'training', eta: '9m00s', remainingSeconds: 540 } };
    const report = { progress: { step: 5, phase: 'loading' } };
    expect(withFinetuneReport(before, report, now).progress).toEqual({
      step: 5,
      phase: 'loading',
      reportedAt: '2026-01-01T00:00:00Z',
    });
  });

  it.each([
    ['a model given by URI', { uri: 'pvc://a/b' }, { uri: 'pvc://a/b', sha256: 'x' }],
    [
      'no model of a SparseFinetune',
      { uri: 'pvc://a/b', sha256: 'y', finetune: { name: 'f' } },
      { uri: 'pvc://a/b', sha256: 'y', finetune: { name: 'f' } },
    ],
    ['no model that is not there', undefined, undefined],
    ['a model whose URI has a needless step', { uri: 'pvc://a/./b' }, { uri: 'pvc://a/./b', sha256: 'x' }],
    ['no model at another place', { uri: 'pvc://a/c' }, { uri: 'pvc://a/c' }],
  ])('has the digest for %s', (_, model, want) => {
    const before = model === undefined ? {} : { model };
    expect(withServiceReport(before, { model: { uri: 'pvc://a/b', sha256: 'x' } }).model).toEqual(want);
  });

  it.each([
    ['on its way', 'pvc://a/c', { model: { uri: 'pvc://a/b' }, wanted: { uri: 'pvc://a/c', sha256: 'x' } }],
    ['that serves', 'pvc://a/b', { model: { uri: 'pvc://a/b', sha256: 'x' }, wanted: { uri: 'pvc://a/c' } }],
  ])('has the digest for the model %s', (_, uri, want) => {
    const before = { model: { uri: 'pvc://a/b' }, wanted: { uri: 'pvc://a/c' } };
    expect(withServiceReport(before, { model: { uri, sha256: 'x' } })).toEqual(want);
  });
});

it('takes figures from a server that names no model, and nothing from one that names another', () => {
  const before = { model: { uri: 'pvc://a/b' }, engine: { backend: 'dense' } };
  const engine = { backend: 'cusparselt' };
  const sha256 = 'x';
  expect(withServiceReport(before, { engine, model: { sha256 } })).toEqual({ ...before, engine });
  expect(withServiceReport(before, { engine, model: { sha256, uri: 'pvc://a/c' } })).toEqual(before);
});

function aFinetune(version: string, status: SparseFinetune['status'] = {}): SparseFinetune {
  return {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseFinetune',
    metadata: { name: 'a', namespace: 'ml', uid: 'u', resourceVersion: version },
    spec: { output: { uri: 'pvc://models/a' } } as SparseFinetune['spec'],
    status,
  };
}

describe('a report that meets a change', () => {
  const conflict = new ApiError({ status: 409, reason: 'Conflict', message: 'changed' });
  const finished = {
    conditions: [
      { type: 'Finished', status: 'True' as const, reason: 'x', message: 'x', lastTransitionTime: '' },
    ],
  };

  function setUp(live: SparseFinetune | undefined) {
    const store = new ObjectStore<SparseFinetune>();
    store.applyEvent(aFinetune('1'));
    const results: string[] = [];
    const patched: [string | undefined, StatusOptions | undefined][] = [];
    const client = {
      get: () => Promise.resolve(live),
      patchStatus: (_: unknown, object: SparseFinetune, __: unknown, options?: StatusOptions) => {
        patched.push([object.metadata.resourceVersion, options]);
        return object.metadata.resourceVersion === '1' ? Promise.reject(conflict) : Promise.resolve(true);
      },
    } as unknown as Pick<KubeClient, 'get' | 'patchStatus'>;
    const sink = createSink({
      client,
      clock: new FakeClock(),
      finetunes: store,
      services: new ObjectStore<SparseInferenceService>(),
      onWrite: (_, result) => results.push(result),
    });
    return { sink, patched, results };
  }

  it('is written onto the object as it is then, under its own field manager', async () => {
    const { sink, patched, results } = setUp(aFinetune('2'));
    await sink.submitFinetune(aFinetune('1'), { progress: { phase: 'training' } });
    expect(patched.map(([version]) => version)).toEqual(['1', '2']);
    expect(patched[0]?.[1]).toEqual({ fieldManager: 'sparsedm-reports', requireUnchanged: true });
    expect(results).toEqual(['written']);
  });

  it('whose object changes under it again and again is kept, and its sender told', async () => {
    const { sink, patched, results } = setUp(aFinetune('1'));
    const urgent = { progress: { phase: 'training' as const } };
    await expect(sink.submitFinetune(aFinetune('1'), urgent)).rejects.toBe(conflict);
    expect([patched.length, results, sink.waiting]).toEqual([5, ['failed'], 1]);
  });

  it('is dropped when the run has ended meanwhile', async () => {
    const { sink, patched, results } = setUp(aFinetune('2', finished));
    await sink.submitFinetune(aFinetune('1'), { progress: { phase: 'training' } });
    expect(patched).toHaveLength(1);
    expect(results).toEqual(['dropped']);
  });

  it('is dropped when another object has taken the name', async () => {
    const live = aFinetune('2');
    const { sink, results } = setUp({ ...live, metadata: { ...live.metadata, uid: 'later' } });
    await sink.submitFinetune(aFinetune('1'), { progress: { phase: 'training' } });
    expect(results).toEqual(['dropped']);
  });

  it('is dropped when the object is gone', async () => {
    const { sink, results } = setUp(undefined);
    await sink.submitFinetune(aFinetune('1'), { progress: { phase: 'training' } });
    expect(results).toEqual(['dropped']);
  });
});
