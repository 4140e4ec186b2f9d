import { describe, expect, it } from 'vitest';
import type { ScalingConfig } from './config';
import { decide, initialState, type Decision, type Sample, type ScalingState } from './decide';
import { NO_LOAD, type Load } from './load';

const SECOND = 1000;

function config(changes: Partial<ScalingConfig> = {}): ScalingConfig {
  return {
    minReplicas: 1,
    maxReplicas: 10,
    target: { figure: 'denoisingSeconds', value: 2 },
    scaleDownStabilizationSeconds: 300,
    idleSeconds: 60,
    panicPercent: 200,
    ...changes,
  };
}

const concurrency = (value: number) => ({ target: { figure: 'concurrency', value } as const });
const images = (value: number) => ({ target: { figure: 'queuedImages', value } as const });

/** What a pod reports: undefined for a ready one without a report, `loading` for one that is not ready. */
type Told = Partial<Load> | undefined | 'loading';

/** Pods that report now. */
function pods(now: number, ...told: Told[]): Sample['pods'] {
  return told.map((load) => {
    if (load === undefined || load === 'loading') return { serves: load === undefined };
    return { serves: true, report: { at: now, load: { ...NO_LOAD, ...load } } };
  });
}

const quiet = { gateways: { held: 0, requests: 0 }, maySleep: true };

/** Decides every 2 s with the loads of the pods there are, given as a function of time and replicas. */
function play(
  scaling: ScalingConfig,
  seconds: number,
  loads: (second: number, replicas: number) => Told[],
  { replicas = 1, state = initialState(replicas, 0), from = 0 } = {},
): { decisions: Decision[]; replicas: number; state: ScalingState } {
  const decisions: Decision[] = [];
  for (let second = from; second <= from + seconds; second += 2) {
    const now = second * SECOND;
    const decision = decide(
      scaling,
      state,
      { present: replicas, pods: pods(now, ...loads(second, replicas)), ...quiet },
      now,
    );
    decisions.push(decision);
    ({ replicas, state } = decision);
  }
  return { decisions, replicas, state };
}

const each = (load: Partial<Load>) => (_: number, replicas: number) =>
  Array.from({ length: replicas }, () => load);
/** A total load, spread over the replicas. */
const total = (load: Partial<Load>) => (_: number, replicas: number) =>
  Array.from({ length: replicas }, () =>
    Object.fromEntries(Object.entries(load).map(([name, value]) => [name, value / replicas])),
  );

describe('the target', () => {
  it.each([
    ['concurrency: 12 requests with 4 in each', config(concurrency(4)), { requests: 12 }, 3],
    ['queuedImages: 25 images with 10 in each', config(images(10)), { queuedImages: 25 }, 3],
    ['denoisingSeconds: 9 s waiting with 2 s in each', config(), { denoisingSeconds: 9 }, 5],
    [
      'a short queue where much arrives: 2.2 s in a second',
      config(),
      { denoisingSeconds: 1, offeredLoad: 2.2 },
      4,
    ],
    ['arrivals do not count for concurrency', config(concurrency(4)), { requests: 4, offeredLoad: 5 }, 1],
    ['maxReplicas', config(), { denoisingSeconds: 900 }, 10],
    ['minReplicas', config({ minReplicas: 2 }), {}, 2],
    ['a deviation of a tenth changes nothing', config(concurrency(4)), { requests: 4.4 }, 1],
    ['sums of decimals do not cost a replica', config(concurrency(0.1)), { requests: 0.1 + 0.2 }, 3],
  ])('%s', (_, scaling, load, want) => {
    expect(play(scaling, 0, () => [load]).replicas).toBe(want);
  });

  it('gives more at once, and says why', () => {
    const { decisions } = play(config(), 0, () => [
      { denoisingSeconds: 5.4, queuedImages: 20, offeredLoad: 1.25 },
    ]);
    expect(decisions[0]?.reason).toBe(
      'Scales from 1 to 3 in a burst: 5.4 s of denoising wait, with a target of 2 s in a replica; 1.25 s of denoising arrive in a second, of 0.7 s that a replica should draw.',
    );
  });

  it('says when the load needs more than maxReplicas', () => {
    const { decisions } = play(config({ maxReplicas: 3 }), 2, total({ denoisingSeconds: 50 }));
    expect(decisions.map(({ outcome }) => outcome)).toEqual(['burst', 'atMaximum']);
    expect(decisions[1]?.reason).toMatch(
      /^The load needs, or has just needed, more than maxReplicas, 3: 50 s of denoising wait/,
    );
  });
});

describe('fewer replicas', () => {
  it('come once fewer were enough for the whole window', () => {
    const quiet = play(config(), 298, each({}), { replicas: 5 });
    expect(quiet.replicas).toBe(5);
    expect(quiet.decisions.at(-1)?.outcome).toBe('stabilizing');
    const { decisions } = play(config(), 2, each({}), { ...quiet, from: 300 });
    expect(decisions.map(({ replicas }) => replicas)).toEqual([1, 1]);
    expect(decisions[0]?.outcome).toBe('down');
  });

  it('come only down to the highest need of the window', () => {
    const load = (second: number, replicas: number) =>
      total({ requests: second >= 100 && second < 200 ? 12 : 1 })(second, replicas);
    const { decisions } = play(config(concurrency(4)), 420, load, { replicas: 5 });
    expect(decisions.at(-1)?.replicas).toBe(3);
  });

  it('come at once where the window is 0', () => {
    expect(play(config({ scaleDownStabilizationSeconds: 0 }), 0, each({}), { replicas: 5 }).replicas).toBe(1);
  });

  it('come at once with a lower maxReplicas, also without reports', () => {
    expect(play(config({ maxReplicas: 3 }), 0, each({}), { replicas: 5 }).replicas).toBe(3);
    expect(play(config({ maxReplicas: 3 }), 0, () => [undefined], { replicas: 5 }).replicas).toBe(3);
  });
});

describe('a burst', () => {
  const scaling = config({ ...concurrency(4), scaleDownStabilizationSeconds: 0 });
  const burst = (second: number, replicas: number) =>
    total({ requests: second >= 60 && second < 70 ? 32 : 4 })(second, replicas);

  it('is answered by its short mean, long before the mean of a minute shows it', () => {
    const { decisions } = play(scaling, 66, burst);
    expect(decisions.at(-1)?.replicas).toBe(8);
    expect(decisions.filter(({ outcome }) => outcome === 'burst').length).toBeGreaterThan(0);
  });

  it('is none below panicPercent', () => {
    const { decisions } = play({ ...scaling, panicPercent: 1000 }, 66, burst);
    expect(decisions.at(-1)?.replicas).toBeLessThan(5);
    expect(decisions.map(({ outcome }) => outcome)).not.toContain('burst');
  });

  it('keeps every replica for a minute after it', () => {
    const { decisions } = play(scaling, 118, burst);
    expect(decisions.at(-1)?.replicas).toBe(8);
    expect(decisions.at(-1)?.outcome).toBe('panic');
  });

  it('ends without a collapse where a window is set', () => {
    const { decisions } = play({ ...scaling, scaleDownStabilizationSeconds: 300 }, 360, burst);
    expect(decisions.at(-1)?.replicas).toBe(8);
  });

  it('is not seen in replicas that are silent', () => {
    const { decisions } = play(scaling, 60, () => [{ requests: 4 }, undefined, undefined], { replicas: 3 });
    expect(decisions.map(({ outcome }) => outcome)).not.toContain('burst');
  });
});

describe('replicas without a fresh report', () => {
  it('count as empty where more are needed', () => {
    expect(
      play(config(concurrency(4)), 0, () => [{ requests: 12 }, undefined], { replicas: 2 }).replicas,
    ).toBe(3);
  });

  it('count as at their target where fewer are needed', () => {
    const scaling = config({ ...concurrency(4), scaleDownStabilizationSeconds: 0 });
    const loads = [{ requests: 1 }, {}, {}, undefined, undefined];
    const { decisions } = play(scaling, 0, () => loads, { replicas: 5 });
    expect(decisions[0]?.replicas).toBe(3);
    expect(decisions[0]?.reason).toMatch(/2 replicas have no fresh report, which changes nothing\.$/);
  });

  it('are never the reason for a change', () => {
    const scaling = config({ ...concurrency(4), scaleDownStabilizationSeconds: 0 });
    expect(play(scaling, 60, () => [{ requests: 4 }, undefined], { replicas: 2 }).replicas).toBe(2);
  });

  it('keep what is there when there is no other, and say so', () => {
    const { replicas, decisions } = play(config(), 600, (_, count) => Array.from({ length: count }), {
      replicas: 4,
    });
    expect(replicas).toBe(4);
    expect(decisions.at(-1)).toMatchObject({
      outcome: 'noReports',
      reason: 'No replica has reported its load: the number of replicas stays 4.',
    });
  });

  it('are those whose report is older than 30 s', () => {
    const state = initialState(4, 0);
    const report = (age: number) => ({ serves: true, report: { at: 100_000 - age, load: NO_LOAD } });
    const at = (age: number) =>
      decide(config(), state, { present: 4, pods: [report(age)], ...quiet }, 100_000).outcome;
    expect([at(30_000), at(30_001)]).toEqual(['stabilizing', 'noReports']);
  });

  it('leave a full window before fewer, once they report again', () => {
    const silent = play(config(), 600, (_, count) => Array.from({ length: count }), { replicas: 4 });
    const { decisions } = play(config(), 302, each({}), { ...silent, from: 602 });
    const first = decisions.findIndex(({ replicas }) => replicas < 4);
    expect(first * 2).toBeGreaterThanOrEqual(298);
  });
});

describe('replicas that are not ready', () => {
  const at = (told: Told[], changes: Partial<ScalingConfig> = {}) =>
    play(config({ ...concurrency(4), scaleDownStabilizationSeconds: 0, ...changes }), 0, () => told, {
      replicas: told.length,
    }).decisions[0]!;

  it.each<[title: string, told: Told[], want: number]>([
    ['add nothing where more are needed', [{ requests: 12 }, 'loading'], 3],
    ['are not asked for again while they come', [{ requests: 12 }, 'loading', 'loading'], 3],
    ['go where the ready ones are enough', [{ requests: 4 }, 'loading', 'loading'], 1],
    ['go in part where some of them are needed', [{ requests: 6 }, 'loading', 'loading'], 2],
    ['do not cover for a silent one, which stays', [{ requests: 4 }, undefined, 'loading'], 2],
    ['count by what they report, where they do', [{ requests: 2 }, { requests: 6 }, 'loading'], 2],
    ['stay where no other reports', ['loading', 'loading'], 2],
  ])('%s', (_, told, want) => {
    expect(at(told).replicas).toBe(want);
  });

  it('stay for the whole window after they were needed', () => {
    const scaling = config({ ...concurrency(4), scaleDownStabilizationSeconds: 120 });
    const told = (second: number, replicas: number): Told[] => [
      { requests: second === 0 ? 12 : 1 },
      ...Array.from({ length: replicas - 1 }, () => 'loading' as const),
    ];
    const { decisions, replicas } = play(scaling, 300, told);
    expect(decisions[0]?.replicas).toBe(3);
    expect(decisions.findIndex((each) => each.replicas < 3) * 2).toBe(120);
    expect(replicas).toBe(1);
  });

  it('are told of', () => {
    expect(at([{ requests: 4 }, 'loading']).reason).toMatch(/1 replica is not ready and gets no load\.$/);
  });

  it('keep a service awake, because somebody has asked for them', () => {
    const sleepy = config({ minReplicas: 0, idleSeconds: 4 });
    const after = (told: Told[]) => play(sleepy, 4, () => told, { replicas: 2 }).replicas;
    expect(after([{}, {}])).toBe(0);
    expect(after([{}, 'loading'])).toBe(2);
  });
});

describe('an operator that starts', () => {
  it('begins its window with the replicas that it finds', () => {
    const { decisions } = play(config(), 298, each({}), { replicas: 6 });
    expect(decisions.every(({ replicas }) => replicas === 6)).toBe(true);
  });

  it('keeps them where nothing has reported yet', () => {
    expect(play(config(), 0, () => [], { replicas: 6 }).decisions[0]?.reason).toBe(
      'There is no pod yet: the number of replicas stays 6.',
    );
  });
});

describe('zero', () => {
  const scaling = config({ minReplicas: 0 });

  it('is reached after idleSeconds without a request', () => {
    const { decisions } = play(scaling, 60, each({}));
    expect(decisions.map(({ replicas }) => replicas)).toEqual([...Array.from({ length: 30 }, () => 1), 0]);
    expect(decisions.at(-1)?.reason).toMatch(/^Scales from 1 to 0 after 60 s without a request/);
  });

  it('is not reached with minReplicas 1', () => {
    expect(play(config(), 600, each({})).replicas).toBe(1);
  });

  it.each([
    ['a request that is drawn', [{ requests: 0.1 }]],
    ['an image that waits', [{ queuedImages: 1 }]],
    ['a replica that is silent', [{}, undefined]],
    ['no report at all', [undefined]],
  ])('is not reached with %s', (_, loads) => {
    expect(play(scaling, 600, () => loads, { replicas: loads.length }).replicas).toBeGreaterThan(0);
  });

  it('stays until somebody wakes the service', () => {
    const { decisions } = play(scaling, 10, () => [], { replicas: 0 });
    expect(decisions.at(-1)).toMatchObject({ replicas: 0, reason: 'No replica runs and no request waits.' });
  });

  const held = (count: number) => ({ gateways: { held: count, requests: count }, maySleep: true });
  const wake = (given: ScalingConfig, count: number, state = initialState(0, 0)) =>
    decide(given, state, { present: 0, pods: [], ...held(count) }, 1000);

  it('ends with the first request that a gateway holds', () => {
    expect(wake(scaling, 1)).toMatchObject({
      replicas: 1,
      outcome: 'waking',
      reason: 'Scales from 0 to 1, because 1 request waits in the gateway.',
    });
  });

  it.each([
    ['requests', concurrency(4), 9, 3],
    ['at least an image for each', images(2), 9, 5],
    ['no more than maxReplicas', concurrency(1), 1000, 10],
    ['one, where nobody knows how long an image takes', {}, 9, 1],
  ])('ends with as many replicas as the held load needs: %s', (_, target, count, replicas) => {
    expect(wake(config({ minReplicas: 0, ...target }), count).replicas).toBe(replicas);
  });

  it('ends with replicas for the seconds that an image took before', () => {
    const now = 1000;
    const busy = pods(now, { requests: 4, queuedImages: 4, denoisingSeconds: 6 });
    const { state } = decide(scaling, initialState(1, 0), { present: 1, pods: busy, ...quiet }, now);
    // 8 images of 1.5 s, with a target of 2 s.
    expect(wake(scaling, 8, state).replicas).toBe(6);
  });

  it('is not gone back to while replicas load, and more held requests get more of them', () => {
    const loading = (count: number, seconds: number) =>
      decide(
        concurrent,
        initialState(1, 0),
        { present: 1, pods: pods(0, 'loading'), ...held(count) },
        seconds * 1000,
      );
    const concurrent = config({ minReplicas: 0, ...concurrency(4) });
    expect(loading(0, 3600).replicas).toBe(1);
    expect(loading(12, 2)).toMatchObject({ replicas: 3, outcome: 'waking' });
  });

  it('is put off by a request that came just before, whose report is that of an almost idle replica', () => {
    const idle = play(config({ minReplicas: 0 }), 58, each({}));
    const told = (second: number) => [{ requests: second === 60 ? 0.001 : 0 }];
    const { decisions } = play(config({ minReplicas: 0 }), 60, told, { ...idle, from: 60 });
    expect(decisions.map(({ replicas }) => replicas)).toEqual([...Array<number>(30).fill(1), 0]);
  });

  it.each([
    ['the next request would find no gateway', { ...quiet, maySleep: false }, 'fallingAsleep'],
    ['a request is in a gateway', { gateways: { held: 0, requests: 1 }, maySleep: true }, 'steady'],
  ])('waits while %s', (_, gateways, outcome) => {
    const now = 120_000;
    const sample = { present: 1, pods: pods(now, {}), ...gateways };
    const decision = decide(scaling, initialState(1, 0), sample, now);
    expect(decision.replicas).toBe(1);
    expect(decision.outcome).toBe(outcome);
  });
});
