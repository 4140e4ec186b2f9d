import type { Pace } from '../../src/runtime/queue/pace';

/** A pace that writes everything at once. */
export const unhurried: Pace = {
  statusWait: () => 0,
  isWaiting: () => false,
  settle: () => undefined,
  eventWait: () => 0,
  measured: (transport) => transport,
};
