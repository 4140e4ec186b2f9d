import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aFinetune, finished } from '../../test/support/finetune';
import type { SparseFinetuneStatus } from '../api/types';
import { SparseFinetune } from '../api/generated/sparsedm.io/v1alpha1/SparseFinetune';
import {
  finetuneReports,
  parseFinetuneReport,
  parseTerminationMessage,
  withReport,
  type FinetuneReport,
} from './report';

const now = new Date('2026-01-01T00:00:00Z');

const PROGRESS = [
  'step',
  'totalSteps',
  'percent',
  'display',
  'stage',
  'stages',
  'stagePattern',
  'maskFlips',
  'phase',
  'loss',
  'samplesPerSecond',
  'imagesProcessed',
  'remainingSeconds',
  'eta',
  'reportedAt',
];

describe('a trainer’s report', () => {
  it('is taken as it is when it is right', () => {
    const report = {
      progress: {
        step: 120,
        totalSteps: 300,
        percent: 40,
        display: '40%',
        stage: 2,
        stages: 5,
        stagePattern: '6:8',
        maskFlips: 512,
        phase: 'training',
        loss: '0.213',
        samplesPerSecond: '210.4',
        imagesProcessed: 7680,
        remainingSeconds: 80,
        eta: '1m20s',
        reportedAt: '2026-01-01T00:00:00Z',
        history: [{ step: 100, distance: '103.2', sparsity: '0.25' }],
      },
      sources: [{ uri: 'hf://o/r', sha256: 'b'.repeat(64), revision: 'c'.repeat(40), sizeBytes: 9 }],
      checkpoint: { uri: 'pvc://models/x/checkpoints/step-00000100', step: 100, maskDigest: 'sha256:ab' },
      sparsity: {
        pattern: '2:4',
        target: '0.5',
        achieved: '0.5',
        maskedLayers: 26,
        skippedLayers: 0,
        compliant: true,
      },
      macs: { convention: 'linear', dense: 10, sparse: 5, reductionPercent: '50.0' },
      fid: {
        metric: 'fd-x',
        samples: 500,
        dense: '100',
        sparse: '102',
        increase: '-2e-3',
        reference: 'evaluation-data',
        captions: 'training-data',
        seed: 0,
        precision: 'fp32',
        served: [{ precision: 'bf16', sparse: '102.5', increase: '2.5' }],
        weights: 'EMA, decay 0.99',
        rankDeficient: true,
      },
      model: { uri: 'pvc://models/x', sha256: 'a'.repeat(64), sizeBytes: 4 },
      best: { step: 100, distance: '103.2' },
      rollback: { stage: 2, pattern: '6:8', step: 120, regressedStep: 180, message: 'It rose.' },
      attempt: { resumedFromStep: 100 },
      trainer: {
        device: 'NVIDIA H200',
        gpus: 8,
        gpuSeconds: 960,
        startedAt: '2026-01-01T00:00:00.125Z',
      },
      error: { reason: 'Diverged', message: 'The loss is not finite.' },
    };
    expect(parseFinetuneReport(report)).toEqual({ report, problems: [] });
  });

  it.each<[string, unknown, object]>([
    [
      'unknown parts',
      { phase: 'Succeeded', conditions: [], progress: { step: 1 } },
      { progress: { step: 1 } },
    ],
    ['unknown fields', { progress: { step: 1, admin: true } }, { progress: { step: 1 } }],
    ['null', { progress: { step: 1, loss: null }, fid: null }, { progress: { step: 1 } }],
    ['empty parts', { progress: {}, macs: { x: 1 } }, {}],
    ['inherited names', JSON.parse('{"__proto__": {"progress": {"step": 1}}}'), {}],
    ['half an error', { error: { reason: 'X' } }, {}],
    [
      'evaluations beyond the newest 20',
      { progress: { history: Array.from({ length: 25 }, (_, step) => ({ step })) } },
      { progress: { history: Array.from({ length: 20 }, (_, i) => ({ step: i + 5 })) } },
    ],
  ])('loses %s', (_, body, want) => {
    expect(parseFinetuneReport(body)).toEqual({ report: want, problems: [] });
  });

  it('takes decimals that are numbers', () => {
    expect(parseFinetuneReport({ progress: { loss: 0.25 } }).report).toEqual({ progress: { loss: '0.25' } });
  });

  it.each<[string, unknown, string]>([
    ['a list', [], 'The report must be a JSON object.'],
    ['text', 'x', 'The report must be a JSON object.'],
    ['a part that is none', { progress: 3 }, 'progress must be an object.'],
    ['a negative step', { progress: { step: -1 } }, 'progress.step must be a whole number from 0'],
    ['half a step', { progress: { step: 0.5 } }, 'progress.step must be a whole number'],
    [
      'more than 100 %',
      { progress: { percent: 101 } },
      'progress.percent must be a whole number from 0 to 100.',
    ],
    ['a loss that is no number', { progress: { loss: 'NaN' } }, 'progress.loss must be a decimal'],
    [
      'a text that is too long',
      { progress: { eta: 'x'.repeat(33) } },
      'progress.eta must be a text of at most 32',
    ],
    ['control characters', { progress: { phase: 'a\u0007' } }, 'progress.phase must be a text'],
    ['a time that is none', { progress: { reportedAt: 'now' } }, 'progress.reportedAt must be a time'],
    ...[
      '2026-13-01T00:00:00Z',
      '2026-02-30T00:00:00Z',
      '2026-01-31T24:00:00Z',
      '2026-01-31T23:60:00Z',
      '2026-01-31T23:59:60Z',
    ].map((reportedAt): [string, unknown, string] => [
      `the time ${reportedAt}, which never was`,
      { progress: { reportedAt } },
      'progress.reportedAt must be a time',
    ]),
    [
      'an evaluation without its step',
      { progress: { history: [{ distance: '3' }] } },
      'progress.history[0].step must be there.',
    ],
    ['a flag that is none', { sparsity: { compliant: 'yes' } }, 'sparsity.compliant must be true or false.'],
    [
      'an evaluation that is wrong',
      { progress: { history: [{ step: 'x' }] } },
      'progress.history[0].step must be',
    ],
    [
      'an error of several words',
      { error: { reason: 'not a word', message: 'm' } },
      'error.reason must be one word',
    ],
  ])('is wrong with %s', (_, body, want) => {
    expect(parseFinetuneReport(body).problems.join(' ')).toContain(want);
  });

  it('holds nothing that the schema refuses, whatever comes', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ minLength: 1000, maxLength: 1100 }),
      fc.date().map(String),
    );
    const time = fc.oneof(
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      text,
    );
    const value = fc.oneof(fc.integer(), fc.double(), fc.maxSafeInteger(), text, time, fc.boolean());
    const fields = (...names: string[]) =>
      fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] });
    const report = fc.record({
      progress: fc
        .tuple(fields(...PROGRESS), fc.array(fields('step', 'distance', 'sparsity'), { maxLength: 30 }))
        .map(([rest, history]) => ({ ...rest, history })),
      sources: fc.array(fields('uri', 'sha256', 'revision', 'sizeBytes'), { maxLength: 10 }),
      checkpoint: fields('uri', 'step', 'maskDigest'),
      sparsity: fields(
        'pattern',
        'target',
        'achieved',
        'maskedParameters',
        'totalParameters',
        'maskedLayers',
        'skippedLayers',
        'compliant',
      ),
      macs: fields('convention', 'dense', 'sparse', 'totalDense', 'totalSparse', 'reductionPercent'),
      latency: fields('millisecondsPerImage', 'batchSize', 'device', 'precision', 'sampler', 'steps'),
      fid: fields(
        'metric',
        'samples',
        'dense',
        'sparse',
        'increase',
        'reference',
        'captions',
        'referenceDigest',
        'extractorDigest',
        'seed',
        'sampler',
        'steps',
        'guidance',
        'precision',
        'served',
        'weights',
        'rankDeficient',
      ),
      images: fc
        .tuple(fields('compared', 'psnr', 'ssim'), fields('dense', 'sparse'))
        .map(([rest, clip]) => ({ ...rest, clip })),
      model: fields('uri', 'sha256', 'sizeBytes', 'manifestUri', 'sampleGridUri'),
      best: fields('step', 'distance'),
      rollback: fields('stage', 'pattern', 'step', 'regressedStep', 'message'),
      trainer: fields('device', 'gpus', 'gpuSeconds', 'startedAt'),
    });
    const spec = {
      model: { preset: 'fashion-mnist-uvit-tiny', pretrained: { uri: 'pvc://a/b.pth' } },
      dataset: { format: 'generated', samples: 1 },
      output: { uri: 'pvc://a/b' },
    };
    const validate = (status: object) => new SparseFinetune({ spec, status } as never).validate();
    expect(() => validate({ progress: { history: [{ distance: '3' }] } })).toThrow();
    fc.assert(
      fc.property(report, (body) => {
        expect(() => validate(parseFinetuneReport(body).report)).not.toThrow();
      }),
    );
  });

  it('never holds anything but bounded known fields, whatever comes', () => {
    const parts = new Set([
      'progress',
      'checkpoint',
      'sparsity',
      'macs',
      'latency',
      'fid',
      'images',
      'model',
      'best',
      'rollback',
      'attempt',
      'trainer',
      'error',
    ]);
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...parts), (value, part) => {
        for (const body of [value, { [part]: value }]) {
          const { report } = parseFinetuneReport(body);
          expect(Object.keys(report).every((key) => parts.has(key))).toBe(true);
          expect(JSON.stringify(report).length).toBeLessThan(16_384);
        }
      }),
    );
  });
});

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
    expect(withReport(before, report, now)).toEqual({
      ...before,
      progress: { step: 2, loss: '0.5', reportedAt: '2026-01-01T00:00:00Z' },
      attempts: { number: 2, resumedFromStep: 1 },
    });
  });

  it('has no time left of an earlier trainer, as one that has just begun knows of none', () => {
    const before = { progress: { step: 5, phase: 'training', eta: '9m00s', remainingSeconds: 540 } };
    const report = { progress: { step: 5, phase: 'loading' } };
    expect(withReport(before, report, now).progress).toEqual({
      step: 5,
      phase: 'loading',
      reportedAt: '2026-01-01T00:00:00Z',
    });
  });
});

it('adds up the GPU-seconds of a run’s trainers, told any number of times, and keeps its image', () => {
  const [first, second] = ['2026-01-01T00:00:00Z', '2026-01-01T01:00:00Z'];
  const told = [
    { gpus: 2, gpuSeconds: 90, startedAt: first },
    { gpus: 2, gpuSeconds: 100, startedAt: first },
    { gpus: 2, gpuSeconds: 100, startedAt: first },
    { gpus: 1, gpuSeconds: 0, startedAt: second },
    { gpus: 1, gpuSeconds: 5, startedAt: second },
  ];
  let status: SparseFinetuneStatus = { trainer: { image: 'registry/trainer@sha256:ab' } };
  const seconds = told.map((trainer) => {
    status = withReport(status, { trainer }, now);
    return status.trainer?.gpuSeconds;
  });
  expect(seconds).toEqual([90, 100, 100, 100, 105]);
  expect(status.trainer).toEqual({
    image: 'registry/trainer@sha256:ab',
    gpus: 1,
    gpuSeconds: 105,
    earlierGpuSeconds: 100,
    startedAt: second,
  });
});

describe('a termination message', () => {
  it.each<[string, string | undefined, unknown]>([
    ['nothing', undefined, undefined],
    ['a traceback', 'Traceback: ...', undefined],
    ['cut JSON', '{"fid": {"dense": "1', undefined],
    ['cut after figures', '{"fid":{"dense":"1","sparse":"12', { fid: { dense: '1' } }],
    [
      'cut in its error',
      '{"error":{"reason":"DatasetMissing","message":"There is no',
      { error: { reason: 'DatasetMissing', message: 'There is no…' } },
    ],
    ['cut in the reason', '{"error":{"reason":"Dataset', undefined],
    [
      'cut after its error',
      '{"error":{"reason":"X","message":"m"},"progress":{"step":3',
      { error: { reason: 'X', message: 'm' } },
    ],
    ['JSON of something else', '{"level": "info"}', undefined],
    ['a report', '{"fid": {"dense": "1"}}', { fid: { dense: '1' } }],
    ['a report that is wrong in part', '{"fid": {"dense": "1", "samples": -3}}', { fid: { dense: '1' } }],
  ])('that is %s', (_, message, want) => {
    expect(parseTerminationMessage(message)).toEqual(want);
  });

  it('has its long error cut and cleaned, not lost', () => {
    const message = JSON.stringify({ error: { reason: 'X', message: `a\u0000b\n${'c'.repeat(3000)}` } });
    const error = parseTerminationMessage(message)?.error;
    expect(error?.message).toHaveLength(1024);
    expect(error?.message.startsWith('a b c')).toBe(true);
  });
});

it('is dropped when the run has ended', () => {
  const finetune = aFinetune({}, finished('Failed'));
  expect(finetuneReports.apply(finetune, { progress: { step: 1 } }, now)).toBe(undefined);
});

describe('the user sees a report at once', () => {
  const known = { progress: { phase: 'training', stage: 1, step: 5 } };
  it.each<[string, FinetuneReport, boolean]>([
    ['not when only the step is new', { progress: { phase: 'training', stage: 1, step: 6 } }, false],
    ['with a new phase', { progress: { phase: 'evaluating', stage: 1 } }, true],
    ['with a new stage', { progress: { phase: 'training', stage: 2 } }, true],
    ['with figures', { fid: { dense: '1' } }, true],
    ['with its model', { model: { uri: 'pvc://models/shirts' } }, true],
    ['with an error', { error: { reason: 'X', message: 'm' } }, true],
  ])('%s', (_, report, want) => {
    expect(finetuneReports.isUrgent(aFinetune({}, known), report)).toBe(want);
  });
});
