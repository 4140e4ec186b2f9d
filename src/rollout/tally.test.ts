import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { createTally, type Counted, type GatewayReport, type Step } from './tally';

const counted = (requests: number, failed = 0, seconds = 2): Counted => ({
  requests,
  failed,
  latency: { count: requests - failed, sumSeconds: (requests - failed) * seconds },
});
const report = (gateway: string, revisions: Record<string, Counted>): GatewayReport => ({
  gateway,
  revisions,
});
const step = { revision: 'b', since: '2026-01-01T00:00:00Z' };
const next = { ...step, since: '2026-01-01T00:01:00Z' };

function begun() {
  const clock = new FakeClock();
  const tally = createTally({ clock });
  const hear = (gateway: string, revisions: Record<string, Counted>) =>
    tally.hear('ml/shirts', 'uid', report(gateway, revisions));
  const figures = (of: Step = step, uid = 'uid') => tally.figures('ml/shirts', uid, of);
  return { clock, tally, hear, figures };
}

describe('the figures of a step', () => {
  it('are unknown while no gateway has reported', () => {
    const { figures, hear } = begun();
    expect(figures()).toBeUndefined();
    hear('g1', {});
    expect(figures()).toEqual({
      canary: { requests: 0, failed: 0, answered: 0, latencySeconds: undefined },
      stable: { requests: 0, failed: 0, answered: 0, latencySeconds: undefined },
    });
  });

  it('are what came since it began, from all gateways, all other versions together', () => {
    const { figures, hear } = begun();
    figures();
    hear('g1', { a: counted(100), b: counted(10) });
    hear('g2', {});
    hear('g1', { a: counted(150), b: counted(14, 1), c: counted(2) });
    hear('g2', { b: counted(4, 1, 4) });
    expect(figures()).toEqual({
      canary: { requests: 8, failed: 2, answered: 6, latencySeconds: 3 },
      stable: { requests: 52, failed: 0, answered: 52, latencySeconds: 2 },
    });
  });

  it('begin again with the next step', () => {
    const { figures, hear } = begun();
    figures();
    hear('g1', {});
    hear('g1', { b: counted(10, 5) });
    expect(figures()?.canary).toMatchObject({ requests: 10, failed: 5 });
    expect(figures(next)).toBeUndefined();
    hear('g1', { b: counted(13, 5) });
    expect(figures(next)?.canary).toMatchObject({ requests: 3, failed: 0 });
  });

  it('count nothing of before the operator began', () => {
    const { figures, hear } = begun();
    hear('g1', { b: counted(500, 400) });
    expect(figures()).toBeUndefined();
    hear('g1', { b: counted(501, 400) });
    expect(figures()?.canary).toMatchObject({ requests: 1, failed: 0 });
  });

  it('go on from what the status holds when the operator begins anew, once', () => {
    const { figures, hear } = begun();
    const none = { requests: 0, failed: 0, answered: 0, answerMilliseconds: 0 };
    const before = { requests: 8, failed: 2, answered: 6, answerMilliseconds: 12_000 };
    const held = { ...step, counted: { canary: before, stable: none } };
    expect(figures(held)?.canary).toEqual({ requests: 8, failed: 2, answered: 6, latencySeconds: 2 });
    hear('g1', { b: counted(500, 400) });
    hear('g1', { b: counted(502, 400, 5) });
    const canary = figures({
      ...held,
      counted: { canary: { ...before, requests: 10 }, stable: none },
    })?.canary;
    expect(canary).toMatchObject({ requests: 10, failed: 2, answered: 8 });
    expect(figures(next)).toBeUndefined();
  });

  it('keep what a gateway counted that has ended, until the next step', () => {
    const { clock, figures, hear } = begun();
    figures();
    hear('g1', {});
    hear('g1', { b: counted(10) });
    hear('g2', {});
    clock.advance(700_000);
    hear('g2', { b: counted(1) });
    expect(figures()?.canary.requests).toBe(11);
    figures(next);
    hear('g2', { b: counted(2) });
    expect(figures(next)?.canary.requests).toBe(1);
  });

  it('are not those of an earlier service of the name', () => {
    const { figures, hear, tally } = begun();
    hear('g1', {});
    expect(figures(step, 'other')).toBeUndefined();
    hear('g1', {});
    tally.forget('ml/shirts');
    expect(figures()).toBeUndefined();
  });
});
