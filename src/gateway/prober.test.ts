import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { createProber, PROBE_MS } from './prober';
import type { Replica } from './route';

const replica = (uid: string): Replica => ({ uid, origin: `http://${uid}`, revision: undefined });

function start() {
  const clock = new FakeClock();
  const state = { isAwaited: true, ready: new Set<string>() };
  const asked: string[] = [];
  const found: string[][] = [];
  const prober = createProber({
    clock,
    isAwaited: () => state.isAwaited,
    onReady: () => found.push(prober.early.map(({ uid }) => uid)),
    ask(origin) {
      asked.push(origin);
      return Promise.resolve(state.ready.has(origin));
    },
  });
  prober.update([replica('a'), replica('b')]);
  return { clock, state, asked, found, prober };
}

it('asks nobody while nobody waits', async () => {
  const { clock, asked, state } = start();
  state.isAwaited = false;
  await clock.advanceAsync(10 * PROBE_MS);
  expect(asked).toEqual([]);
});

it('asks those that start until one is ready, and it no more', async () => {
  const { clock, state, asked, found, prober } = start();
  prober.begin();
  prober.begin();
  await clock.advanceAsync(0);
  expect(asked).toEqual(['http://a', 'http://b']);
  state.ready.add('http://b');
  await clock.advanceAsync(2 * PROBE_MS);
  expect(found).toEqual([['b']]);
  expect(asked.filter((origin) => origin === 'http://b')).toHaveLength(2);
  expect(asked.filter((origin) => origin === 'http://a')).toHaveLength(3);
});

it('ends with the last that waits, and begins again with the next', async () => {
  const { clock, state, asked, prober } = start();
  prober.begin();
  await clock.advanceAsync(0);
  state.isAwaited = false;
  await clock.advanceAsync(10 * PROBE_MS);
  expect(asked).toHaveLength(2);
  state.isAwaited = true;
  prober.begin();
  await clock.advanceAsync(0);
  expect(asked).toHaveLength(4);
});

it('forgets who has become ready by everybody’s word, who has gone, and who was not ready after all', async () => {
  const { clock, state, prober } = start();
  state.ready.add('http://a').add('http://b');
  prober.begin();
  await clock.advanceAsync(0);
  expect(prober.early).toHaveLength(2);
  prober.update([replica('b')]);
  expect(prober.early).toEqual([replica('b')]);
  state.ready.clear();
  prober.forget('b');
  expect(prober.early).toEqual([]);
  await clock.advanceAsync(PROBE_MS);
  state.ready.add('http://b');
  await clock.advanceAsync(PROBE_MS);
  expect(prober.early).toEqual([replica('b')]);
});

it('takes no word of a pod that has gone meanwhile', async () => {
  const clock = new FakeClock();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const prober = createProber({ clock, isAwaited: () => true, onReady: () => undefined, ask: () => promise });
  prober.update([replica('a')]);
  prober.begin();
  prober.update([]);
  resolve(true);
  await clock.advanceAsync(0);
  prober.update([replica('a')]);
  expect(prober.early).toEqual([]);
  prober.close();
});
