import { describe, expect, it } from 'vitest';
import { advance, sizeFor, type Config, type Decision, type Sample, type Stable } from './advance';
import type { CanaryConfig } from './config';
import type { RolloutState } from './state';

const start = new Date('2026-01-01T00:00:00Z');
const later = (seconds: number) => new Date(start.getTime() + seconds * 1000);
const at = (seconds: number) => later(seconds).toISOString().replace('.000Z', 'Z');

const canary: CanaryConfig = {
  steps: [
    { weight: 10, holdSeconds: 60 },
    { weight: 50, holdSeconds: 30 },
  ],
  analysis: {
    maxErrorRatePercent: 5,
    maxLatencyIncreasePercent: undefined,
    minRequests: 10,
  },
  deadlineSeconds: 600,
  digest: 'x',
};
const config: Config = { strategy: 'Canary', canary };
const rolling: Config = { strategy: 'RollingUpdate', canary: undefined };

const serving: Stable = {
  revision: 'a',
  replicas: 4,
  available: 4,
  alone: true,
  arrived: true,
  late: false,
};
const base: Sample = {
  wanted: 'b',
  stable: serving,
  canary: undefined,
  canaryPods: [],
  divided: true,
  sharePercent: 0,
};
const running = (available: number): Partial<Sample> => ({
  canary: { revision: 'b', available },
  canaryPods: ['b'],
});
const figures = (requests: number, failed = 0) => ({
  canary: { requests, failed, answered: requests },
  stable: { requests: 90, failed: 0, answered: 90 },
});

const stateOf = (changes: Partial<RolloutState>): RolloutState => ({
  strategy: 'Canary',
  phase: 'Progressing',
  revision: 'b',
  from: 'a',
  step: 1,
  weightPercent: 10,
  since: at(0),
  message: '',
  canaryDigest: 'x',
  ...changes,
});
const promoted = { stable: { ...serving, revision: 'b' } };
const half = { stable: { ...serving, revision: 'b', alone: false, arrived: false } };

/** Phase, revision, step, weight; whether what serves rolls; the canary's replicas; the traffic. */
function summary({ state, rolls, canary: second, traffic }: Decision) {
  const place =
    state && [state.phase, state.revision, state.step ?? '-', state.weightPercent ?? '-'].join(' ');
  const pods = second && `${second.revision} ${second.replicas ?? 'as they are'}`;
  return [place, rolls, pods, traffic && `${traffic.revision} ${traffic.weightPercent}`];
}

type Row = [
  what: string,
  config: Config,
  stored: RolloutState | undefined,
  sample: Partial<Sample>,
  seconds: number,
  want: unknown[],
];

const none = [undefined, undefined];

describe('a rollout', () => {
  it.each<Row>([
    [
      'begins with the first pods',
      rolling,
      undefined,
      { stable: undefined },
      0,
      ['Progressing b - -', true, ...none],
    ],
    ['replaces what serves', rolling, undefined, {}, 0, ['Progressing b - -', true, ...none]],
    [
      'is complete',
      rolling,
      stateOf({ step: undefined, canaryDigest: undefined }),
      promoted,
      9,
      ['Complete b - -', true, ...none],
    ],
    [
      'stays complete while pods come and go',
      rolling,
      stateOf({ phase: 'Complete', step: undefined, canaryDigest: undefined }),
      half,
      9,
      ['Complete b - 10', true, ...none],
    ],
    [
      'rests while there is nothing to serve',
      config,
      undefined,
      { wanted: undefined },
      0,
      [undefined, false, ...none],
    ],
    [
      'with Canary is a plain one where nothing was',
      config,
      undefined,
      { stable: undefined },
      0,
      ['Progressing b - -', true, ...none],
    ],
    [
      'with Canary is a plain one where nothing serves',
      config,
      undefined,
      { stable: { ...serving, available: 0 } },
      0,
      ['Progressing b - -', true, ...none],
    ],
    [
      'with Canary is a plain one without replicas',
      config,
      undefined,
      { stable: { ...serving, replicas: 0, available: 0 } },
      0,
      ['Progressing b - -', true, ...none],
    ],
    [
      'with Canary mends one that is stuck',
      config,
      undefined,
      { stable: { ...serving, alone: false, late: true } },
      0,
      ['Progressing b - -', true, ...none],
    ],
    [
      'with Canary waits for the one before',
      config,
      undefined,
      { stable: { ...serving, alone: false } },
      0,
      ['Progressing b - -', false, ...none],
    ],
    [
      'with Canary waits for pods of an earlier canary',
      config,
      undefined,
      { canaryPods: ['c'] },
      0,
      ['Progressing b - -', false, ...none],
    ],
    ['with Canary starts it', config, undefined, {}, 0, ['Progressing b 0 0', false, 'b 1', 'b 0']],
    [
      'that was rolled back is not tried again',
      config,
      stateOf({ phase: 'RolledBack' }),
      {},
      9,
      ['RolledBack b 1 10', false, ...none],
    ],
    [
      'that was rolled back is tried with other bounds',
      config,
      stateOf({ phase: 'RolledBack', canaryDigest: 'y' }),
      {},
      9,
      ['Progressing b 0 0', false, 'b 1', 'b 0'],
    ],
    [
      'that was rolled back is forced by another strategy',
      rolling,
      stateOf({ phase: 'RolledBack' }),
      {},
      9,
      ['Progressing b - -', true, ...none],
    ],
    [
      'that was rolled back gives way to the next',
      config,
      stateOf({ phase: 'RolledBack' }),
      { wanted: 'c' },
      9,
      ['Progressing c 0 0', false, 'c 1', 'c 0'],
    ],
    [
      'that was rolled back is over when the spec goes back',
      config,
      stateOf({ phase: 'RolledBack' }),
      { wanted: 'a' },
      9,
      ['Complete a - -', true, ...none],
    ],
  ])('%s', (_, given, stored, sample, seconds, want) => {
    expect(summary(advance(given, stored, { ...base, ...sample }, later(seconds)))).toEqual(want);
  });
});

describe('a canary', () => {
  it.each<Row>([
    [
      'has no requests before its pod',
      config,
      stateOf({ step: 0, weightPercent: 0 }),
      running(0),
      30,
      ['Progressing b 0 0', false, 'b 1', 'b 0'],
    ],
    [
      'has no requests before the gateway divides them',
      config,
      stateOf({ step: 0, weightPercent: 0 }),
      { ...running(1), divided: false },
      30,
      ['Progressing b 0 0', false, 'b 1', 'b 0'],
    ],
    [
      'is rolled back when the gateway does not divide the requests in time',
      config,
      stateOf({ step: 0, weightPercent: 0 }),
      { ...running(1), divided: false, undividedSince: later(20).getTime() },
      620,
      ['RollingBack b 0 0', false, 'b as they are', 'b 0'],
    ],
    [
      'is rolled back in a later step too when the gateway goes and does not come back',
      config,
      stateOf({}),
      { ...running(1), divided: false, undividedSince: later(20).getTime(), figures: figures(50) },
      620,
      ['RollingBack b 1 0', false, 'b as they are', 'b 0'],
    ],
    [
      'waits in its step for a gateway that has gone, whatever was counted before',
      config,
      stateOf({}),
      { ...running(1), divided: false, undividedSince: later(20).getTime(), figures: figures(50) },
      619,
      ['Progressing b 1 10', false, 'b 1', 'b 10'],
    ],
    [
      'has the whole time from when its pods are ready',
      config,
      stateOf({ step: 0, weightPercent: 0 }),
      {
        canary: { revision: 'b', available: 1, availableSince: later(500).getTime() },
        divided: false,
        undividedSince: later(20).getTime(),
      },
      1099,
      ['Progressing b 0 0', false, 'b 1', 'b 0'],
    ],
    [
      'is not hurried while the service is stopped',
      config,
      stateOf({ step: 0, weightPercent: 0 }),
      { stable: { ...serving, replicas: 0 }, divided: false, undividedSince: later(0).getTime() },
      9_999,
      ['Progressing b 0 0', false, 'b 0', 'b 0'],
    ],
    [
      'does not begin without a gateway',
      config,
      undefined,
      { gatewayTrouble: 'there is none' },
      0,
      ['Progressing b - -', false, ...none],
    ],
    [
      'begins when there is one',
      config,
      stateOf({ step: undefined, weightPercent: undefined }),
      {},
      9,
      ['Progressing b 0 0', false, 'b 1', 'b 0'],
    ],
    [
      'gets its first requests',
      config,
      stateOf({ step: 0, weightPercent: 0 }),
      running(1),
      30,
      ['Progressing b 1 10', false, 'b 1', 'b 10'],
    ],
    [
      'is rolled back when no pod is ready in time',
      config,
      stateOf({ step: 0, weightPercent: 0 }),
      running(0),
      600,
      ['RollingBack b 0 0', false, 'b as they are', 'b 0'],
    ],
    [
      'is rolled back when it could not even be made',
      config,
      stateOf({ step: 0, weightPercent: 0 }),
      {},
      600,
      ['RollingBack b 0 0', false, ...[undefined, 'b 0']],
    ],
    [
      'holds its step',
      config,
      stateOf({}),
      { ...running(1), figures: figures(50) },
      59,
      ['Progressing b 1 10', false, 'b 1', 'b 10'],
    ],
    [
      'waits for requests',
      config,
      stateOf({}),
      { ...running(1), figures: figures(9) },
      900,
      ['Progressing b 1 10', false, 'b 1', 'b 10'],
    ],
    [
      'waits without any figure',
      config,
      stateOf({}),
      running(1),
      900,
      ['Progressing b 1 10', false, 'b 1', 'b 10'],
    ],
    [
      'gets the pods of the next step before its weight',
      config,
      stateOf({}),
      { ...running(1), figures: figures(50) },
      60,
      ['Progressing b 2 10', false, 'b 2', 'b 10'],
    ],
    [
      'keeps its weight until they are ready',
      config,
      stateOf({ step: 2, since: at(60) }),
      running(1),
      90,
      ['Progressing b 2 10', false, 'b 2', 'b 10'],
    ],
    [
      'then gets the weight',
      config,
      stateOf({ step: 2, since: at(60) }),
      running(2),
      90,
      ['Progressing b 2 50', false, 'b 2', 'b 50'],
    ],
    [
      'is rolled back when they never are',
      config,
      stateOf({ step: 2, since: at(60) }),
      running(1),
      660,
      ['RollingBack b 2 0', false, 'b as they are', 'b 0'],
    ],
    [
      'is rolled back at once when it fails',
      config,
      stateOf({}),
      { ...running(1), figures: figures(50, 10) },
      1,
      ['RollingBack b 1 0', false, 'b as they are', 'b 0'],
    ],
    [
      'may lose a pod for a while',
      config,
      stateOf({}),
      { ...running(0), canary: { revision: 'b', available: 0, unavailableSince: start.getTime() + 500_000 } },
      700,
      ['Progressing b 1 10', false, 'b 1', 'b 10'],
    ],
    [
      'is rolled back when its pods stay away',
      config,
      stateOf({}),
      { ...running(0), canary: { revision: 'b', available: 0, unavailableSince: start.getTime() + 50_000 } },
      700,
      ['RollingBack b 1 0', false, 'b as they are', 'b 0'],
    ],
    [
      'sleeps with the service',
      config,
      stateOf({}),
      { ...running(0), stable: { ...serving, replicas: 0, available: 0 } },
      700,
      ['Progressing b 1 10', false, 'b 0', 'b 10'],
    ],
    [
      'passes its last step, and nothing rolls before that is stored',
      config,
      stateOf({ step: 2, weightPercent: 50 }),
      { ...running(2), figures: figures(50) },
      30,
      ['Promoting b 2 50', false, 'b as they are', 'b 50'],
    ],
    [
      'is promoted',
      config,
      stateOf({ phase: 'Promoting', step: 2, weightPercent: 50 }),
      running(2),
      31,
      ['Promoting b 2 50', true, 'b as they are', 'b 50'],
    ],
    [
      'gets more requests as its pods become more',
      config,
      stateOf({ phase: 'Promoting', step: 2, weightPercent: 50 }),
      { ...running(2), ...half, sharePercent: 80 },
      31,
      ['Promoting b 2 80', true, 'b as they are', 'b 80'],
    ],
    [
      'has all requests before it ends',
      config,
      stateOf({ phase: 'Promoting', step: 2, weightPercent: 80 }),
      { ...running(2), ...promoted },
      99,
      ['Finishing b 2 100', false, 'b as they are', 'b 100'],
    ],
    [
      'ends when the gateway knows',
      config,
      stateOf({ phase: 'Finishing', step: 2, weightPercent: 100 }),
      { ...running(2), ...promoted },
      99,
      ['Finishing b 2 100', false, undefined, 'b 100'],
    ],
    [
      'has its last requests until its pods are gone',
      config,
      stateOf({ phase: 'Finishing', step: 2, weightPercent: 100 }),
      { canaryPods: ['b'], ...promoted },
      99,
      ['Finishing b 2 100', false, undefined, 'b 100'],
    ],
    [
      'is over',
      config,
      stateOf({ phase: 'Finishing', step: 2, weightPercent: 100 }),
      promoted,
      99,
      ['Complete b - -', true, ...none],
    ],
    [
      'goes when the gateway knows that it was rolled back',
      config,
      stateOf({ phase: 'RollingBack', weightPercent: 0 }),
      running(1),
      99,
      ['RollingBack b 1 0', false, undefined, 'b 0'],
    ],
    [
      'gets no request while its pods end',
      config,
      stateOf({ phase: 'RollingBack', weightPercent: 0 }),
      { canaryPods: ['b'] },
      99,
      ['RollingBack b 1 0', false, undefined, 'b 0'],
    ],
    [
      'was rolled back',
      config,
      stateOf({ phase: 'RollingBack', weightPercent: 0 }),
      {},
      99,
      ['RolledBack b 1 -', false, ...none],
    ],
    [
      'is withdrawn for a newer version',
      config,
      stateOf({}),
      { ...running(1), wanted: 'c' },
      9,
      ['Withdrawing b 1 0', false, 'b as they are', 'b 0'],
    ],
    [
      'is withdrawn when the spec goes back',
      config,
      stateOf({}),
      { ...running(1), wanted: 'a' },
      9,
      ['Withdrawing b 1 0', false, 'b as they are', 'b 0'],
    ],
    [
      'is withdrawn when its gate is narrowed',
      config,
      stateOf({}),
      { ...running(1), wanted: undefined },
      9,
      ['Withdrawing b 1 0', false, 'b as they are', 'b 0'],
    ],
    [
      'is withdrawn when the strategy is another',
      rolling,
      stateOf({}),
      running(1),
      9,
      ['Withdrawing b 1 0', false, 'b as they are', 'b 0'],
    ],
    [
      'goes when it was withdrawn',
      config,
      stateOf({ phase: 'Withdrawing', weightPercent: 0 }),
      { ...running(1), wanted: 'c' },
      9,
      ['Withdrawing b 1 0', false, undefined, 'b 0'],
    ],
    [
      'leaves the next one its place',
      config,
      stateOf({ phase: 'Withdrawing', weightPercent: 0 }),
      { wanted: 'c' },
      9,
      ['Complete a - -', false, ...none],
    ],
    [
      'is promoted to its end when a newer version comes',
      config,
      stateOf({ phase: 'Promoting' }),
      { ...running(1), ...half, wanted: 'c' },
      9,
      ['Promoting b 1 10', false, 'b as they are', 'b 10'],
    ],
    [
      'is withdrawn when a newer version comes before it rolls',
      config,
      stateOf({ phase: 'Promoting' }),
      { ...running(1), wanted: 'c' },
      9,
      ['Withdrawing b 1 0', false, 'b as they are', 'b 0'],
    ],
    [
      'goes back half-way when the spec does',
      config,
      stateOf({ phase: 'Promoting' }),
      { ...running(1), ...half, wanted: 'a' },
      9,
      ['Withdrawing b 1 0', false, 'b as they are', 'b 0'],
    ],
    [
      'is replaced again by what served',
      config,
      stateOf({ phase: 'Withdrawing', weightPercent: 0 }),
      { ...half, wanted: 'a' },
      9,
      ['Withdrawing b 1 0', true, undefined, 'b 0'],
    ],
    [
      'starts again with other steps',
      config,
      stateOf({ canaryDigest: 'y' }),
      running(1),
      9,
      ['Progressing b 0 0', false, 'b 1', 'b 0'],
    ],
    [
      'is promoted when its version serves by other means',
      config,
      stateOf({}),
      { ...running(1), ...promoted },
      9,
      ['Promoting b 1 10', false, 'b as they are', 'b 10'],
    ],
  ])('%s', (_, given, stored, sample, seconds, want) => {
    expect(summary(advance(given, stored, { ...base, ...sample }, later(seconds)))).toEqual(want);
  });

  it('says with numbers why it was rolled back, and when it was', () => {
    const { state } = advance(
      config,
      stateOf({}),
      { ...base, ...running(1), figures: figures(50, 10) },
      later(7),
    );
    expect(state?.message).toBe(
      'The canary of b was rolled back at step 1 of 2 (10 %): 10 of its 50 requests failed (20 %, bound 5 %), and 0 of 90 of the version that serves (0 %).',
    );
    expect(state?.since).toBe(at(7));
  });

  it('keeps what was counted in its step, and begins the next one from nothing', () => {
    const look = (stored: RolloutState, seconds: number) =>
      advance(config, stored, { ...base, ...running(1), figures: figures(50) }, later(seconds)).state;
    const counted = look(stateOf({}), 30)?.counted;
    expect(counted?.canary).toMatchObject({ requests: 50, failed: 0, answered: 50 });
    expect(look(stateOf({ counted }), 31)?.counted).toEqual(counted);
    const passed = look(stateOf({ counted }), 60);
    expect(passed).toMatchObject({ step: 2 });
    expect(passed?.counted).toBeUndefined();
  });

  it('says what it waits for where there is no gateway', () => {
    const gatewayTrouble = 'there is none: install the chart with gateway.enabled=true';
    const sample = { ...base, ...running(1), divided: false, gatewayTrouble };
    const look = (stored: RolloutState | undefined, seconds = 7, undividedSince = later(0).getTime()) =>
      advance(config, stored, { ...sample, undividedSince }, later(seconds));
    expect(look(undefined)).toMatchObject({
      isRefused: true,
      state: {
        message: `The canary of b does not begin, because ${gatewayTrouble}. It begins when there is one. Or write strategy: RollingUpdate.`,
      },
    });
    const open = stateOf({ step: 0, weightPercent: 0 });
    expect(look(open)).toMatchObject({
      isRefused: false,
      state: {
        message: `The canary of b is ready, and waits until requests go through the gateway, which divides them; after 600 s without it is rolled back. The reason: ${gatewayTrouble}.`,
      },
    });
    expect(look(open, 600).state?.message).toBe(
      `The canary of b was rolled back before its first step: no requests went through the gateway, which divides them, within 600 s. The reason: ${gatewayTrouble}.`,
    );
  });

  it('waits for a distance while images are measured, and else not for ever', () => {
    const analysis = { ...canary.analysis, maxDistanceIncreasePercent: 20 };
    const judged: Config = { ...config, canary: { ...canary, analysis } };
    const look = (fills: boolean, seconds: number) => {
      const measured = { distance: undefined, evaluated: 10, basis: 'fd', fills, message: 'Why.' };
      const sample = { ...base, ...running(1), figures: figures(50), quality: { canary: measured } };
      return advance(judged, stateOf({}), sample, later(seconds)).state;
    };
    // The step's hold, and the deadline.
    expect(look(true, 99_999)).toMatchObject({ phase: 'Progressing', step: 1 });
    expect(look(false, 659)).toMatchObject({ phase: 'Progressing', step: 1 });
    expect(look(false, 659)?.message).toMatch(/Why. To go on .* After 600 s without it is rolled back.$/);
    expect(look(false, 660)).toMatchObject({ phase: 'RollingBack' });
    expect(look(false, 660)?.message).toMatch(
      /at step 1 of 2 \(10 %\): nothing had come within 600 s to judge its images by. .* Why. To go on/,
    );
  });

  it('says what its pods lack', () => {
    const trouble = '0/1 nodes are available: 1 Insufficient nvidia.com/gpu.';
    const sample = { ...base, ...running(0), trouble };
    expect(advance(config, stateOf({ step: 0 }), sample, later(7)).state?.message).toContain(trouble);
    const { state } = advance(config, stateOf({ step: 0 }), sample, later(600));
    expect(state?.message).toContain(`0 of the 1 pods that it needs were ready within 600 s. ${trouble}`);
  });

  it('is looked at again when its hold ends', () => {
    const look = (seconds: number) =>
      advance(config, stateOf({}), { ...base, ...running(1) }, later(seconds)).againMs;
    expect([look(0), look(59), look(60)]).toEqual([2_000, 1_000, 2_000]);
    expect(advance(rolling, undefined, base, later(0)).againMs).toBeUndefined();
  });

  it.each([
    [10, 1, 1],
    [10, 11, 2],
    [50, 3, 2],
    [100, 3, 3],
    [10, 0, 0],
  ])('of %i %% beside %i pods has %i', (weight, replicas, want) => {
    expect(sizeFor(weight, replicas)).toBe(want);
  });
});
