import { describe, expect, it } from 'vitest';
import { exitError, parseServiceReport, withReport } from './report';

describe('a server’s report', () => {
  it('is taken as it is when it is right', () => {
    const engine = {
      backend: 'dense',
      precision: 'bf16',
      sparseLayers: 0,
      totalLayers: 26,
      speedup: '1',
      latencyMilliseconds: { p50: '4.5', p99: '9' },
      device: 'cpu',
      maxBatchSize: 4,
      reason: 'no GPU',
    };
    const body = { engine, model: { sha256: 'a'.repeat(64), uri: 'pvc://other/x', pattern: '2:4' } };
    expect(parseServiceReport(body)).toEqual({
      report: { engine, model: { sha256: 'a'.repeat(64), uri: 'pvc://other/x' } },
      problems: [],
    });
  });
});

describe('a status with a report in it', () => {
  it('says how far a server has come until it has an engine', () => {
    const loading = { phase: 'Reading', percent: 42 } as const;
    expect(parseServiceReport({ loading })).toEqual({ report: { loading }, problems: [] });
    expect(parseServiceReport({ loading: { phase: 'Reading', percent: 101 } }).report).toEqual({});
    expect(parseServiceReport({ loading: { percent: 3 } }).report).toEqual({});
    expect(withReport({}, { loading })).toEqual({ loading });
    expect(withReport({}, { loading, engine: { backend: 'dense' } })).toEqual({
      engine: { backend: 'dense' },
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
    expect(withReport(before, { model: { uri: 'pvc://a/b', sha256: 'x' } }).model).toEqual(want);
  });

  it.each([
    ['on its way', 'pvc://a/c', { model: { uri: 'pvc://a/b' }, wanted: { uri: 'pvc://a/c', sha256: 'x' } }],
    ['that serves', 'pvc://a/b', { model: { uri: 'pvc://a/b', sha256: 'x' }, wanted: { uri: 'pvc://a/c' } }],
  ])('has the digest for the model %s', (_, uri, want) => {
    const before = { model: { uri: 'pvc://a/b' }, wanted: { uri: 'pvc://a/c' } };
    expect(withReport(before, { model: { uri, sha256: 'x' } })).toEqual(want);
  });
});

it('takes what a server has fetched', () => {
  const sources = [{ uri: 's3://a/b', sha256: 'a'.repeat(64), sizeBytes: 9 }];
  const { report, problems } = parseServiceReport({ model: { uri: 's3://a/b' }, sources });
  expect(problems).toEqual([]);
  expect(withReport({ model: { uri: 's3://a/b' } }, report)).toMatchObject({ sources });
});

it('takes figures from a server that names no model, and nothing from one that names another', () => {
  const before = { model: { uri: 'pvc://a/b' }, engine: { backend: 'dense' } };
  const engine = { backend: 'cusparselt' };
  const sha256 = 'x';
  expect(withReport(before, { engine, model: { sha256 } })).toEqual({ ...before, engine });
  expect(withReport(before, { engine, model: { sha256, uri: 'pvc://a/c' } })).toEqual(before);
});

it.each([
  ['its own reason', '{"error":{"reason":"OutOfMemory","message":"The model needs more."}}', 'OutOfMemory'],
  ['a traceback', 'Traceback: x', undefined],
  ['an error without a reason', '{"error":{"message":"no"}}', undefined],
])('a server that ended with %s is read', (_, message, want) => {
  expect(exitError(message)?.reason).toBe(want);
});
