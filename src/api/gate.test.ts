import { describe, expect, it } from 'vitest';
import { judgeGate } from './gate';

const figures = { metric: 'fd-x', dense: '100.0', increase: '3.5', macsReductionPercent: '50.0' };

describe('the quality gate', () => {
  it.each([
    // The worked example of judgeGate.
    [{ maxFidIncrease: '2.5' }, figures, false, 'The increase of fd-x is 3.5, above 2.5.'],
    [{ maxFidIncreasePercent: 5 }, figures, true, 'The relative increase of fd-x is 3.5 %, within 5 %.'],
    [{ maxFidIncrease: '3.5' }, figures, true, 'The increase of fd-x is 3.5, within 3.5.'],
    [{ minMacsReductionPercent: 50 }, figures, true, 'The reduction of MACs is 50 %, at least 50 %.'],
    [{ minMacsReductionPercent: 51 }, figures, false, 'The reduction of MACs is 50 %, below 51 %.'],
    [
      { maxFidIncrease: '0' },
      { ...figures, increase: '-1.25' },
      true,
      'The increase of fd-x is -1.25, within 0.',
    ],
    [{ maxFidIncrease: '9' }, { dense: '1' }, undefined, "The increase of distance isn't known."],
    [
      { maxFidIncrease: '9' },
      { ...figures, increase: 'nan' },
      undefined,
      "The increase of fd-x isn't known.",
    ],
    [
      { maxFidIncreasePercent: 5 },
      { ...figures, dense: '0' },
      undefined,
      "The relative increase of fd-x isn't known.",
    ],
  ])('%j over %j', (gate, given, wantPassed, wantMessage) => {
    expect(judgeGate(gate, given)).toEqual({ passed: wantPassed, message: wantMessage });
  });

  it.each([
    ['2', true, 'The increase of fd-x is 1, within 2; the increase of fd-x in bf16 is 1.5, within 2.'],
    ['1.2', false, 'The increase of fd-x is 1, within 1.2; the increase of fd-x in bf16 is 1.5, above 1.2.'],
  ])('holds every precision that is served to %s', (maxFidIncrease, wantPassed, wantMessage) => {
    const served = [{ precision: 'bf16', increase: '1.5' }];
    const verdict = judgeGate({ maxFidIncrease }, { ...figures, increase: '1' }, served);
    expect(verdict).toEqual({ passed: wantPassed, message: wantMessage });
  });

  it('does not pass a precision that could not be measured', () => {
    const verdict = judgeGate({ maxFidIncreasePercent: 5 }, figures, [{ precision: 'fp16' }]);
    expect(verdict).toEqual({
      passed: undefined,
      message:
        "The relative increase of fd-x is 3.5 %, within 5 %; the relative increase of fd-x in fp16 isn't known.",
    });
  });

  it('fails when one bound of several is broken, also where another figure is missing', () => {
    const verdict = judgeGate(
      { maxFidIncrease: '2', minMacsReductionPercent: 40 },
      { ...figures, macsReductionPercent: undefined },
    );
    expect(verdict).toEqual({
      passed: false,
      message: "The increase of fd-x is 3.5, above 2; the reduction of MACs isn't known.",
    });
  });
});
