/** Seeded random numbers, so that a run with a broken invariant can be repeated. */
export type Random = {
  /** From 0 up to, not including, 1. */
  next: () => number;
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly [T, ...T[]]): T;
  /** An independent sequence, from this seed and the name alone. */
  fork(name: string): Random;
};

/** Marsaglia's xorshift with 32 bits: never 0, hence never stuck. */
function step(state: number): number {
  let next = state;
  next ^= next << 13;
  next ^= next >>> 17;
  next ^= next << 5;
  return next >>> 0;
}

/** Spreads neighbouring seeds over all states. */
function spread(text: string): number {
  let hash = 2166136261;
  for (const character of text) hash = Math.imul(hash ^ character.codePointAt(0)!, 16777619);
  return hash >>> 0 || 1;
}

export function createRandom(seed: number | string): Random {
  let state = spread(String(seed));
  for (let round = 0; round < 8; round++) state = step(state);
  const next = () => {
    state = step(state);
    return state / 2 ** 32;
  };
  return {
    next,
    between: (low, high) => low + next() * (high - low),
    chance: (probability) => next() < probability,
    pick: (items) => items[Math.floor(next() * items.length)] ?? items[0],
    fork: (name) => createRandom(`${seed}/${name}`),
  };
}
