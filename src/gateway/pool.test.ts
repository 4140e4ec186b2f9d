import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { createRandom } from '../../test/chaos/random';
import { createMembers, type Member, type Members } from './pool';
import type { Route } from './route';
import { GATEWAY_DEFAULTS } from './settings';

const open: Members[] = [];
afterEach(() => {
  for (const members of open.splice(0)) members.close();
});

const route: Route = {
  key: { namespace: 'ml', name: 'shirts' },
  port: 20_000,
  isDirect: false,
  wakeSeconds: undefined,
  canary: undefined,
  replicas: ['a', 'b'].map((uid) => ({ uid, origin: `http://127.0.0.1:1`, revision: undefined })),
  starting: [],
  alive: new Set(['a', 'b']),
  reason: '',
};

function aGateway(clock: FakeClock, seed: string): Members {
  const random = createRandom(seed);
  const members = createMembers({
    settings: GATEWAY_DEFAULTS,
    monotonic: () => clock.monotonic(),
    random: () => random.next(),
    onEjected: () => undefined,
  });
  members.update(route);
  open.push(members);
  return members;
}

const nobody = { pinned: undefined, tried: new Set<Member>() };

const WORK_MS = 500;

/**
 * Two gateways and two pods, which draw one request after the other. Pod a has a client of its own, of whom no gateway
 * knows, with a request for each `othersEvery` of theirs. Returns the mean wait in milliseconds, and which part of each gateway's requests went to pod a.
 */
function play(hears: boolean, othersEvery: number): { waitMs: number; toA: number[] } {
  const clock = new FakeClock();
  const gateways = [aGateway(clock, '1'), aGateway(clock, '2')];
  const freeAt: Record<string, number> = { a: 0, b: 0 };
  const sent = [0, 0];
  const sentToA = [0, 0];
  let waitedMs = 0;

  /** Returns when it will be drawn. */
  function draw(uid: string): number {
    freeAt[uid] = Math.max(freeAt[uid]!, clock.monotonic()) + WORK_MS;
    return freeAt[uid];
  }

  function send(index: number): void {
    const members = gateways[index]!;
    const member = members.choose(nobody)!;
    member.load++;
    sent[index]!++;
    if (member.uid === 'a') sentToA[index]!++;
    const ms = draw(member.uid) - clock.monotonic();
    waitedMs += ms - WORK_MS;
    clock.setTimeout(() => {
      member.load--;
      const queued = Math.max(0, freeAt[member.uid]! - clock.monotonic()) / 1000;
      const headers = [
        'X-SparseDM-Queued-Seconds',
        queued.toFixed(3),
        'X-SparseDM-Denoising-Seconds',
        (WORK_MS / 1000).toFixed(3),
      ];
      if (hears) members.heard(member, headers);
    }, ms);
  }

  for (let step = 0; step < 1_000; step++) {
    clock.advance(400);
    if (step % othersEvery === 0) draw('a');
    send(step % 2);
  }
  return { waitMs: waitedMs / 1_000, toA: sentToA.map((count, index) => count / sent[index]!) };
}

describe('gateways that do not talk to each other', () => {
  it.each<[title: string, othersEvery: number, most: number]>([
    ['of each other', Infinity, 0.5],
    ['of a client of one replica', 2, 0.7],
  ])('make their requests wait less by what the replicas tell them %s', (_, othersEvery, most) => {
    const blind = play(false, othersEvery);
    const told = play(true, othersEvery);
    expect(told.waitMs).toBeLessThan(most * blind.waitMs);
    for (const part of told.toA) expect(part).toBeLessThan(othersEvery === Infinity ? 0.55 : 0.35);
  });
});
