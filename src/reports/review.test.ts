import { describe, expect, it } from 'vitest';
import type { KubeClient } from '../kube/client';
import { FakeClock } from '../runtime/clock';
import { createTokenReviewer } from './review';

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

function setUp(status: object) {
  const clock = new FakeClock();
  let asked = 0;
  const create: KubeClient['create'] = (_, object) => {
    asked++;
    return Promise.resolve({ ...object, status });
  };
  return { clock, reviewer: createTokenReviewer({ create }, clock), asked: () => asked };
}

describe('a token', () => {
  it('names its pod', async () => {
    const { reviewer } = setUp(good);
    expect(await reviewer.review('t')).toEqual({
      namespace: 'ml',
      podName: 'shirts-train-a',
      podUid: 'pod-uid',
    });
  });

  it.each([
    ['is not valid', { authenticated: false }],
    ['is for another audience', { ...good, audiences: ['other'] }],
    ['has no audience', { ...good, audiences: undefined }],
    ['is a person’s', { ...good, user: { ...good.user, username: 'admin' } }],
    ['is bound to no pod', { ...good, user: { ...good.user, extra: {} } }],
  ])('is refused when it %s', async (_, status) => {
    expect(await setUp(status).reviewer.review('t')).toBeUndefined();
  });

  it('is asked about once a minute, when it is good', async () => {
    const { clock, reviewer, asked } = setUp(good);
    await Promise.all([reviewer.review('t'), reviewer.review('t')]);
    clock.advance(59_999);
    await reviewer.review('t');
    expect(asked()).toBe(1);
    await reviewer.review('u');
    expect(asked()).toBe(2);
    clock.advance(60_000);
    await reviewer.review('t');
    expect(asked()).toBe(3);
  });

  it('is asked about again sooner, when it is bad', async () => {
    const { clock, reviewer, asked } = setUp({ authenticated: false });
    await reviewer.review('t');
    await reviewer.review('t');
    expect(asked()).toBe(1);
    clock.advance(5_000);
    await reviewer.review('t');
    expect(asked()).toBe(2);
  });

  it('is never asked about when it can not be one', async () => {
    const { reviewer, asked } = setUp(good);
    expect(await reviewer.review('')).toBeUndefined();
    expect(await reviewer.review('x'.repeat(20_000))).toBeUndefined();
    expect(asked()).toBe(0);
  });
});
