import { describe, expect, it } from 'vitest';
import { aServerPod, aService } from '../../test/support/inference';
import type { QualityStatus } from '../api/types';
import { labels } from '../kube/names';
import type { Pod } from '../kube/resources';
import {
  createQualityBoard,
  judgeServedQuality,
  qualitiesOf,
  qualityOf,
  type QualityReport,
} from './quality';

const pod = (name: string, revision = 'shirts-a'): Pod => {
  const made = aServerPod({}, name, 'Running');
  return { ...made, metadata: { ...made.metadata, uid: name, labels: { [labels.revision]: revision } } };
};
const basis = { metric: 'fd-x', window: 500, extractorDigest: 'e', referenceDigest: 'sha256:r' };
const full = (distance: string, changes: QualityReport = {}): QualityReport => ({
  ...basis,
  images: 500,
  distance,
  evaluatedDistance: '10.5',
  ...changes,
});
const filling = (images: number): QualityReport => ({
  ...basis,
  images,
  evaluatedDistance: '10.5',
  message: `${images} of 500 images have features.`,
});
const monitored = (quality?: QualityStatus[], maxDistanceIncreasePercent?: number) => {
  const bound = maxDistanceIncreasePercent === undefined ? {} : { maxDistanceIncreasePercent };
  const service = aService({ qualityMonitor: { samplePercent: 10, ...bound } });
  return { ...service, status: { ...service.status, ...(quality && { quality }) } };
};
const status = (reports: Record<string, QualityReport>, pods: Pod[], before?: QualityStatus[]) =>
  qualityOf(monitored(before), pods, new Map(Object.entries(reports)));

describe('what pods measured', () => {
  it('is one entry for each version, with the mean of its pods', () => {
    const reports = { a: full('12'), b: full('11'), c: full('30') };
    expect(status(reports, [pod('a'), pod('b'), pod('c', 'shirts-b')])).toEqual([
      { revision: 'shirts-a', ...full('11.5', { images: 1000 }), pods: 2 },
      { revision: 'shirts-b', ...full('30'), pods: 1 },
    ]);
  });

  it('counts no pod that does not know its distance, and none of another reference', () => {
    const other = full('99', { referenceDigest: 'sha256:other' });
    const reports = { a: full('12'), b: filling(499), c: other };
    expect(
      status(
        reports,
        ['a', 'b', 'c'].map((name) => pod(name)),
      ),
    ).toEqual([{ revision: 'shirts-a', ...full('12'), pods: 1 }]);
  });

  it('says how far the pod is that has most images, while none knows a distance', () => {
    const found = status({ a: filling(20), b: filling(412) }, [pod('a'), pod('b')]);
    expect(found).toEqual([{ revision: 'shirts-a', ...filling(412) }]);
  });

  it('says why nothing is measured', () => {
    const message = 'Served images are not measured, because there is no reference.';
    expect(status({ a: { message } }, [pod('a')])).toEqual([{ revision: 'shirts-a', message }]);
  });

  it('is none of pods that end, nor of versions without a pod', () => {
    const ending = {
      ...pod('b', 'shirts-b'),
      metadata: { ...pod('b', 'shirts-b').metadata, deletionTimestamp: 'x' },
    };
    const before = [{ revision: 'shirts-b', ...full('12') }];
    expect(status({ b: full('9') }, [ending], before)).toEqual([]);
  });

  it('is nothing where nothing is sampled', () => {
    expect(qualityOf(aService(), [pod('a')], new Map([['a', full('12')]]))).toBeUndefined();
  });
});

describe('the status', () => {
  const entry = (report: QualityReport) => [{ revision: 'shirts-a', ...report, pods: 1 }];

  it.each<[string, QualityStatus[], QualityReport | undefined, 'stays' | 'changes']>([
    ['without a report, as after a restart of the operator', entry(full('12')), undefined, 'stays'],
    ['with less than 1 % of a difference', entry(full('12')), full('12.1'), 'stays'],
    ['with more than 1 % of a difference', entry(full('12')), full('12.13'), 'changes'],
    [
      'with another figure of the model',
      entry(full('12')),
      full('12', { evaluatedDistance: '9' }),
      'changes',
    ],
    ['with a few images more', [{ revision: 'shirts-a', ...filling(100) }], filling(149), 'stays'],
    ['with a tenth of the window more', [{ revision: 'shirts-a', ...filling(100) }], filling(150), 'changes'],
    ['with the first distance', [{ revision: 'shirts-a', ...filling(499) }], full('12'), 'changes'],
    ['with another reason', [{ revision: 'shirts-a', message: 'a' }], { message: 'b' }, 'changes'],
  ])('%s', (_, before, report, want) => {
    const found = status(report === undefined ? {} : { a: report }, [pod('a')], before);
    if (want === 'stays') expect(found).toEqual(before);
    else expect(found).not.toEqual(before);
  });
});

describe('the board', () => {
  it('knows what is new, and forgets pods that are gone and services of another uid', () => {
    const board = createQualityBoard();
    expect(board.hear('ml/shirts', 'u', 'a', full('1'))).toBe(true);
    expect(board.hear('ml/shirts', 'u', 'a', full('1'))).toBe(false);
    expect(board.hear('ml/shirts', 'u', 'b', full('2'))).toBe(true);
    expect([...board.heard('ml/shirts', 'u', [pod('b')])]).toEqual([['b', full('2')]]);
    expect(board.heard('ml/shirts', 'later', [pod('b')]).size).toBe(0);
    expect(board.hear('ml/shirts', 'later', 'c', full('3'))).toBe(true);
    expect([...board.heard('ml/shirts', 'later', [pod('b'), pod('c')]).keys()]).toEqual(['c']);
    board.forget('ml/shirts');
    expect(board.heard('ml/shirts', 'later', [pod('c')]).size).toBe(0);
  });
});

describe('for a canary', () => {
  it('both versions have their figures, and what makes them comparable', () => {
    const quality = [
      { revision: 'shirts-a', ...full('11'), pods: 2 },
      { revision: 'shirts-b', ...filling(3) },
    ];
    const basisText = 'fd-x e sha256:r 500';
    expect(qualitiesOf(quality, 'shirts-b', 'shirts-a')).toEqual({
      canary: {
        distance: undefined,
        evaluated: 10.5,
        basis: basisText,
        fills: true,
        message: '3 of 500 images have features.',
      },
      stable: { distance: 11, evaluated: 10.5, basis: basisText, fills: false, message: '' },
    });
    expect(qualitiesOf(undefined, 'shirts-b', undefined)).toEqual({ canary: undefined, stable: undefined });
  });
});

describe('the condition QualityMaintained', () => {
  const judged = (report: QualityReport | undefined, bound?: number) =>
    judgeServedQuality(
      monitored(undefined, bound),
      report && [{ revision: 'shirts-a', ...report, pods: 1 }],
      'shirts-a',
    );

  it.each<[string, QualityReport | undefined, number | undefined, object | undefined]>([
    ['is absent without a bound', full('90'), undefined, undefined],
    [
      'is True within it',
      full('12.6'),
      20,
      {
        status: 'True',
        reason: 'WithinBounds',
        message:
          "The fd-x of 500 served images (1 pod) is 12.6, and that of the model's evaluation 10.5, within the bound of +20 %.",
      },
    ],
    ['is False above it', full('12.61'), 20, { status: 'False', reason: 'QualityDegraded' }],
    [
      'is Unknown while there is no distance',
      filling(7),
      20,
      { status: 'Unknown', reason: 'NotMeasured', message: '7 of 500 images have features.' },
    ],
    ['is Unknown before a report', undefined, 20, { status: 'Unknown', reason: 'NotMeasured' }],
    [
      'is Unknown where servers draw otherwise',
      { ...basis, images: 500, distance: '12', message: 'Other steps.' },
      20,
      { status: 'Unknown', message: 'Other steps.' },
    ],
  ])('%s', (_, report, bound, want) => {
    const found = judged(report, bound);
    if (want === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(want);
  });
});
