/** How long a gateway that ends still takes requests. */
import { sleep, type Clock } from '../runtime/clock';

/** Parts of the delay, and how many of them without a request have to be the last ones. */
const NAPS = 20;
const QUIET_NAPS = 10;

/**
 * Resolves after `delayMs`, the last half of them without a request, and after `mostMs` at the latest: while requests
 * come, Service rules still lead here, and would lead to a closed port. It counts naps, not the clock, as servers do:
 * where the machine was stopped or overloaded, those who change the rules have not had their time either.
 * `requests`: how many have come so far.
 */
export async function leave(
  clock: Clock,
  { delayMs, mostMs }: { delayMs: number; mostMs: number },
  requests: () => number,
): Promise<void> {
  const overAt = clock.monotonic() + Math.max(delayMs, mostMs);
  let left = delayMs > 0 ? NAPS : 0;
  while (left > 0 && clock.monotonic() < overAt) {
    const before = requests();
    await sleep(clock, delayMs / NAPS);
    left = Math.max(left - 1, requests() > before ? QUIET_NAPS : 0);
  }
}
