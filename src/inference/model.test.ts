import { describe, expect, it } from 'vitest';
import { aFinetune, aService, condition, succeeded } from '../../test/support/inference';
import type { ServedModel, SparseFinetune } from '../api/types';
import { resolveModel } from './model';

const reference = { finetuneRef: { name: 'tuned' } };
const held: ServedModel = {
  uri: 'pvc://models/earlier',
  sha256: 'b'.repeat(64),
  finetune: { name: 'tuned', uid: 'earlier-uid' },
  fid: { metric: 'fd-x', dense: '100', sparse: '101', increase: '1' },
};
const tuned: ServedModel = {
  uri: 'pvc://models/tuned',
  sha256: 'a'.repeat(64),
  pattern: '2:4',
  finetune: { name: 'tuned', uid: 'finetune-uid' },
  fid: { metric: 'fd-x', dense: '100', sparse: '103', increase: '3' },
  macs: { convention: 'linear', dense: 10, sparse: 5, reductionPercent: '50' },
};
const failed = aFinetune({ phase: 'Failed', conditions: [condition('Succeeded', 'False', 'Diverged')] });
const busy = aFinetune({ phase: 'Running', progress: { display: '42%' } });
const rejected = aFinetune({
  ...succeeded,
  conditions: [
    condition('QualityGatePassed', 'False', 'OutOfBounds'),
    condition('Succeeded', 'True', 'Succeeded'),
  ],
});
const done = aFinetune(succeeded);

describe('a model by URI', () => {
  it('is there at once, and passes for want of a gate', () => {
    const found = resolveModel(aService(), undefined);
    expect(found.model).toEqual({ uri: 'pvc://models/shirts' });
    expect([found.ready.reason, found.gate.reason]).toEqual(['UriGiven', 'NoGate']);
  });

  it.each([
    ['kept while the URI stays', 'pvc://models/shirts', 'c'.repeat(64)],
    ['dropped when the URI changes', 'pvc://models/other', undefined],
  ])('has its reported digest %s', (_, uri, want) => {
    const status = { model: { uri: 'pvc://models/shirts', sha256: 'c'.repeat(64) } };
    expect(resolveModel(aService({ model: { uri } }, status), undefined).model?.sha256).toBe(want);
  });
});

describe('a model by SparseFinetune', () => {
  it.each<[string, SparseFinetune | undefined, ServedModel | undefined, string, string, boolean]>([
    ['that does not exist', undefined, undefined, 'False FinetuneNotFound', 'Unknown NotMeasured', false],
    ['that runs', busy, undefined, 'Unknown WaitingForFinetune', 'Unknown NotMeasured', false],
    ['that failed', failed, undefined, 'False FinetuneFailed', 'Unknown NotMeasured', true],
    ['that did not pass its gate', rejected, undefined, 'True ModelPinned', 'False OutOfBounds', true],
    ['that succeeded', done, tuned, 'True ModelPinned', 'True WithinBounds', false],
  ])('%s', (_, finetune, wantModel, wantReady, wantGate, wantStalled) => {
    const found = resolveModel(aService({ model: reference }), finetune);
    expect(found.model).toEqual(wantModel);
    expect(`${found.ready.status} ${found.ready.reason}`).toBe(wantReady);
    expect(`${found.gate.status} ${found.gate.reason}`).toBe(wantGate);
    expect(found.stalled !== undefined).toBe(wantStalled);
  });

  it('says how far the run is that it waits for', () => {
    expect(resolveModel(aService({ model: reference }), busy).ready.message).toBe(
      'Waits until SparseFinetune tuned has succeeded (now Running, 42%).',
    );
  });

  it.each<[string, boolean, SparseFinetune | undefined, string | undefined]>([
    ['stays pinned when the run is deleted', false, undefined, held.uri],
    ['stays pinned when the run is made anew', false, done, held.uri],
    ['follows a run made anew', true, done, tuned.uri],
    ['stays while the new run goes on', true, busy, held.uri],
    ['stays when the new run fails', true, failed, held.uri],
    ['stays when the new run fails its gate', true, rejected, held.uri],
    ['stays when the followed run is deleted', true, undefined, held.uri],
  ])('%s', (_, follow, finetune, want) => {
    const service = aService({ model: { ...reference, follow } }, { model: held });
    expect(resolveModel(service, finetune).model?.uri).toBe(want);
  });

  it('is another one when the reference changes', () => {
    const service = aService({ model: { finetuneRef: { name: 'other' } } }, { model: held });
    expect(resolveModel(service, undefined).ready.reason).toBe('FinetuneNotFound');
  });

  it.each([
    ['passes', { maxFidIncrease: '3' }, 'True WithinBounds', tuned],
    ['breaks', { maxFidIncreasePercent: 2 }, 'False OutOfBounds', undefined],
  ])('%s the gate of the service', (_, qualityGate, want, wantModel) => {
    const { gate, model } = resolveModel(aService({ model: reference, qualityGate }), done);
    expect(`${gate.status} ${gate.reason}`).toBe(want);
    expect(model).toEqual(wantModel);
  });

  it.each([
    ['fp32', 'True WithinBounds'],
    ['bf16', 'False OutOfBounds'],
  ])('is judged as it is served, in %s', (precision, want) => {
    const served = [{ precision: 'bf16', sparse: '109', increase: '9' }];
    const measured = aFinetune({ ...succeeded, fid: { ...succeeded.fid, precision: 'fp32', served } });
    const engine = { precision: precision as 'fp32' | 'bf16' };
    const service = aService({ model: reference, engine, qualityGate: { maxFidIncrease: '3' } });
    const { gate, model, judged } = resolveModel(service, measured);
    expect(`${gate.status} ${gate.reason}`).toBe(want);
    expect(gate.message).toContain(`fd-x in ${precision} is`);
    expect((model ?? judged)?.fid?.served).toEqual(served);
  });

  it('says that 16 bits were not measured, also where the service has no gate', () => {
    const service = aService({ model: reference, engine: { precision: 'fp16' } });
    expect(resolveModel(service, done).gate.message).toBe(
      'The SparseFinetune passed its own gate. It was measured in fp32, and fp16 is served, of which nothing is known: write evaluation.servedPrecisions: [fp16] in a new SparseFinetune.',
    );
  });

  it('without figures does not pass the gate of the service', () => {
    const { fid: _, ...unmeasured } = succeeded;
    const { gate, stalled } = resolveModel(
      aService({ model: reference, qualityGate: { maxFidIncrease: '3' } }),
      aFinetune(unmeasured),
    );
    expect(gate.reason).toBe('FiguresMissing');
    expect(stalled).toBeDefined();
  });
});
