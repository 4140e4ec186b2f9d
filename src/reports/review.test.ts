import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import type { KubeClient } from '../kube/client';
import { createTokenReviewer, TooManyReviewsError, type Reporter } from './review';

const good = {
  authenticated: true,
  audiences: ['sparsedm.io'],
  user: {
    username: 'system:serviceaccount:ml:default',
    extra: {
      'authentication.kubernetes.io/pod-name': ['shirts-train-a'],
      'authentication.kubernetes.io/pod-uid': ['pod-uid'],
    },
  },
};

/** A token as the API server writes it, of the pod with this number; its signature is nobody's. */
function token(pod: number, changes: object = {}): string {
  const payload = {
    aud: ['sparsedm.io'],
    exp: Date.parse('2026-01-01T01:00:00Z') / 1000,
    'kubernetes.io': {
      namespace: 'ml',
      pod: { name: `shirts-train-${pod}`, uid: `pod-${pod}` },
      serviceaccount: { name: 'default', uid: 'x' },
    },
    sub: 'system:serviceaccount:ml:default',
    ...changes,
  };
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256', kid: 'k' })}.${part(payload)}.c2lnbmF0dXJl`;
}

const [t, u] = [token(1), token(2)];

type Answering = () => Promise<void>;

/** Pods up to 1,000 are known. */
function setUp(status: object, answering: Answering = () => Promise.resolve()) {
  const clock = new FakeClock();
  let asked = 0;
  const create: KubeClient['create'] = async (_, object) => {
    asked++;
    await answering();
    return { ...object, status };
  };
  const isKnown = ({ podUid }: Reporter) => Number(podUid.slice('pod-'.length)) <= 1000;
  return {
    clock,
    reviewer: createTokenReviewer({ client: { create }, clock, isKnown }),
    asked: () => asked,
  };
}

describe('a token', () => {
  it('names its pod', async () => {
    const { reviewer } = setUp(good);
    expect(await reviewer.review(t)).toEqual({
      namespace: 'ml',
      podName: 'shirts-train-a',
      podUid: 'pod-uid',
      account: 'default',
    });
  });

  it.each([
    ['is not valid', { authenticated: false }],
    ['is for another audience', { ...good, audiences: ['other'] }],
    ['has no audience', { ...good, audiences: undefined }],
    ['is a person’s', { ...good, user: { ...good.user, username: 'admin' } }],
    ['is bound to no pod', { ...good, user: { ...good.user, extra: {} } }],
  ])('is refused when it %s', async (_, status) => {
    expect(await setUp(status).reviewer.review(t)).toBeUndefined();
  });

  it('is asked about once a minute, when it is good', async () => {
    const { clock, reviewer, asked } = setUp(good);
    await Promise.all([reviewer.review(t), reviewer.review(t)]);
    clock.advance(59_999);
    await reviewer.review(t);
    expect(asked()).toBe(1);
    await reviewer.review(u);
    expect(asked()).toBe(2);
    clock.advance(60_000);
    await reviewer.review(t);
    expect(asked()).toBe(3);
  });

  it('is asked about again sooner, when it is bad', async () => {
    const { clock, reviewer, asked } = setUp({ authenticated: false });
    await reviewer.review(t);
    await reviewer.review(t);
    expect(asked()).toBe(1);
    clock.advance(5_000);
    await reviewer.review(t);
    expect(asked()).toBe(2);
  });

  it.each([
    ['is empty', ''],
    ['is too long for one', 'x'.repeat(20_000)],
    ['is no JWT', 'nonsense'],
    ['holds no JSON', 'a.b.c'],
    ['holds no object', `a.${Buffer.from('7').toString('base64url')}.c`],
    ['is for another audience', token(1, { aud: ['https://kubernetes.default.svc'] })],
    ['has expired', token(1, { exp: Date.parse('2025-12-31T23:58:00Z') / 1000 })],
    ['never expires', token(1, { exp: undefined })],
    ['is of no pod', token(1, { 'kubernetes.io': { namespace: 'ml' } })],
  ])('is never asked about when it %s', async (_, wrong) => {
    const { reviewer, asked } = setUp(good);
    expect(await reviewer.review(wrong)).toBeUndefined();
    expect(asked()).toBe(0);
  });

  it('is asked about when only our clock says that it has just expired', async () => {
    const { reviewer } = setUp(good);
    expect(await reviewer.review(token(1, { exp: Date.parse('2025-12-31T23:59:30Z') / 1000 }))).toBeDefined();
  });
});

describe('reviews', () => {
  const outcomes = async (reviews: Promise<unknown>[]) => {
    const settled = await Promise.allSettled(reviews);
    const refused = settled.filter((each) => each.status === 'rejected');
    expect(refused.every(({ reason }) => reason instanceof TooManyReviewsError)).toBe(true);
    return { taken: settled.length - refused.length, refused: refused.length };
  };
  const inTurn = async (count: number, review: (index: number) => Promise<unknown>) => {
    const all: Promise<unknown>[] = [];
    for (let index = 0; index < count; index++) {
      all.push(review(index));
      await all.at(-1)?.catch(() => undefined);
    }
    return outcomes(all);
  };

  it('of one pod are few, whatever tokens it makes up, and no other pod is refused for that', async () => {
    const { reviewer, clock, asked } = setUp({ authenticated: false });
    const guesses = await inTurn(100, (jti) => reviewer.review(token(1, { jti })));
    expect([guesses, asked()]).toEqual([{ taken: 5, refused: 95 }, 5]);
    await reviewer.review(token(2));
    clock.advance(5_000);
    expect(await inTurn(3, (jti) => reviewer.review(token(1, { jti, later: true })))).toEqual({
      taken: 1,
      refused: 2,
    });
  });

  it('of pods that nobody knows share a small part, and those of ours have the rest', async () => {
    const { reviewer } = setUp(good);
    const strangers = await inTurn(500, (index) => reviewer.review(token(1001 + index)));
    expect(strangers).toEqual({ taken: 20, refused: 480 });
    expect(await inTurn(300, (index) => reviewer.review(token(index)))).toEqual({ taken: 300, refused: 0 });
  });

  it('are bounded in all, and tell how long to wait', async () => {
    const { reviewer, clock, asked } = setUp(good);
    await inTurn(1000, (index) => reviewer.review(token(index)));
    expect(asked()).toBe(400);
    await expect(reviewer.review(token(999))).rejects.toMatchObject({ retryAfterMs: 5 });
    clock.advance(1_000);
    await inTurn(1000, (index) => reviewer.review(token(index, { again: true })));
    expect(asked()).toBe(600);
  });

  it('are at most 32 at a time', async () => {
    let answer = () => {};
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const { reviewer, asked } = setUp(good, () => answered);
    const all = Array.from({ length: 100 }, (_, index) => reviewer.review(token(index)));
    const refused = Promise.allSettled(all);
    expect(asked()).toBe(32);
    answer();
    await refused;
    expect(await outcomes(all)).toEqual({ taken: 32, refused: 68 });
    expect(await reviewer.review(token(99))).toBeDefined();
  });

  it('are not repeated within a minute for as many pods as may be reviewed in it', async () => {
    const { reviewer, clock, asked } = setUp(good);
    const step = async (from: number, to: number) => {
      for (let index = from; index < to; index++) await reviewer.review(token(index % 1000, { jti: index }));
    };
    for (let second = 0; second < 50; second++) {
      clock.advance(1_000);
      await step(second * 200, second * 200 + 200).catch(() => undefined);
    }
    const before = asked();
    await step(0, 4);
    expect(asked()).toBe(before);
  });
});
