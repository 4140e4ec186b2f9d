import { describe, expect, it } from 'vitest';
import type { ServedModel } from '../api/types';
import { aService, aFinetune, settings, succeeded, uriModel } from '../../test/support/inference';
import { buildDeployment, serverOf, templateInputs, templateModel } from './deployment';
import { resolveModel } from './model';
import { parseServiceReport, withReport } from './report';
import { serverBounds } from './server-gate';

const tuned = { uri: 'pvc://models/tuned', sha256: 'a'.repeat(64), finetune: { name: 'tuned', uid: 'u' } };
const sha256 = 'b'.repeat(64);

it.each([
  ['nothing without a gate', undefined, uriModel, undefined],
  ['the distance of a model by URI', { maxFidIncrease: '2' }, uriModel, '{"maxFidIncrease":"2"}'],
  ['no distance of a finetune', { maxFidIncrease: '2' }, tuned, undefined],
  ['the speed of any model', { maxFidIncrease: '2', minSpeedup: '1.2' }, tuned, '{"minSpeedup":"1.2"}'],
  [
    'all bounds of a model by URI',
    { maxFidIncreasePercent: 5, minSpeedup: '1.2', onSlow: 'Refuse' },
    uriModel,
    '{"maxFidIncreasePercent":5,"minSpeedup":"1.2","onSlow":"Refuse"}',
  ],
] as const)('servers judge %s', (_, gate, model, want) => {
  expect(serverBounds(gate, model as ServedModel)).toBe(want);
  const service = aService({ model: uriModel, ...(gate === undefined ? {} : { qualityGate: gate }) });
  const env = serverOf(buildDeployment(service, model, settings))?.env ?? [];
  expect(env.find(({ name }) => name === 'SPARSEDM_QUALITY_GATE')?.value).toBe(want);
});

it('starts servers again for bounds that they judge, and for no others', () => {
  const without = templateInputs(aService(), uriModel);
  const gated = aService({ qualityGate: { maxFidIncrease: '2' } });
  expect(templateInputs(gated, uriModel)).not.toBe(without);
  expect(templateInputs(gated, tuned)).toBe(templateInputs(aService(), tuned));
});

describe('the gate of a model by URI', () => {
  const gated = (gate: object | undefined) =>
    aService(
      { qualityGate: { maxFidIncrease: '2' } },
      { model: uriModel, ...(gate === undefined ? {} : { gate: gate as never }) },
    );
  const report = {
    uri: uriModel.uri,
    bounds: '{"maxFidIncrease":"2"}',
    passed: true,
    reason: 'WithinBounds',
    message: 'The increase is 1, within 2.',
  };

  it.each([
    ['is open before a server has judged', undefined, 'Unknown', 'NotMeasured'],
    ['passes as reported', report, 'True', 'WithinBounds'],
    ['fails as reported', { ...report, passed: false, reason: 'OutOfBounds' }, 'False', 'OutOfBounds'],
    ['is open while only other bounds were judged', { ...report, bounds: '{}' }, 'Unknown', 'NotMeasured'],
    ['is open while only another model was', { ...report, uri: 'pvc://a/b' }, 'Unknown', 'NotMeasured'],
  ])('%s', (_, gate, wantStatus, wantReason) => {
    const resolution = resolveModel(gated(gate), undefined);
    expect(resolution.gate).toMatchObject({ status: wantStatus, reason: wantReason });
    expect(resolution.stalled === undefined).toBe(wantStatus !== 'False');
    // A refused version stays the wanted one, so that what serves is left alone.
    expect(resolution.model).toEqual(uriModel);
  });

  it('is read from a report, whole or not at all', () => {
    const { report: read } = parseServiceReport({ gate: report });
    expect(withReport({}, read).gate).toEqual(report);
    expect(parseServiceReport({ gate: { ...report, passed: 'yes' } }).report.gate).toBeUndefined();
  });
});

it("adds what servers measured to the operator's own verdict", () => {
  const qualityGate = { maxFidIncrease: '5', minSpeedup: '1.2' };
  const gate = {
    uri: 'pvc://models/tuned',
    bounds: '{"minSpeedup":"1.2"}',
    passed: true,
    reason: 'FellBack',
    message: 'The speed-up over dense is 1.00.',
  };
  const service = aService({ model: { finetuneRef: { name: 'tuned' } }, qualityGate }, { gate });
  expect(resolveModel(service, aFinetune(succeeded)).gate).toMatchObject({
    status: 'True',
    reason: 'FellBack',
    message: 'The increase of fd-x is 3, within 5. The speed-up over dense is 1.00.',
  });
  const narrow = {
    ...service,
    spec: { ...service.spec, qualityGate: { ...qualityGate, maxFidIncrease: '1' } },
  };
  expect(resolveModel(narrow, aFinetune(succeeded)).gate).toMatchObject({
    status: 'False',
    reason: 'OutOfBounds',
  });
});

describe('a pinned digest', () => {
  const pinned = aService({ model: { ...uriModel, sha256 } });
  const { model } = resolveModel(pinned, undefined);

  it('is what the server expects', () => {
    const deployment = buildDeployment(pinned, model!, settings);
    const value = serverOf(deployment)?.env?.find(({ name }) => name === 'SPARSEDM_MODEL_SHA256')?.value;
    expect(value).toBe(sha256);
    expect(templateModel(deployment, [uriModel, model])).toBe(model);
  });

  it('makes another version of the same URI', () => {
    expect(templateInputs(pinned, model!)).not.toBe(templateInputs(aService(), uriModel));
    const held = aService({ model: { ...uriModel, sha256 } }, { model: { ...uriModel, sha256 } });
    expect(resolveModel(held, undefined).model).toEqual({ ...uriModel, sha256, pinned: true });
  });

  it('is not replaced by what a server reports', () => {
    const after = withReport({ model: model! }, { model: { uri: uriModel.uri, sha256: 'c' } });
    expect(after.model?.sha256).toBe(sha256);
  });
});
