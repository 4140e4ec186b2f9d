/** What each gateway last told of the requests for each service. */
import type { Clock } from '../runtime/clock';
import type { GatewayLoad } from './decide';

/** Of one gateway. */
export type Told = GatewayLoad & { gateway: string };

/** A gateway with requests reports every 2 s: one that does not any more has gone, and its requests with it. */
const STALE_MS = 10_000;

export type Demands = {
  hear(key: string, uid: string, told: Told): void;
  /** The sum over the gateways. */
  of(key: string): GatewayLoad;
  forget(key: string): void;
};

type Entry = { uid: string; gateways: Map<string, GatewayLoad & { at: number }> };

export function createDemands(clock: Pick<Clock, 'monotonic'>): Demands {
  const entries = new Map<string, Entry>();

  function entryOf(key: string, uid: string): Entry {
    const known = entries.get(key);
    if (known?.uid === uid) return known;
    const entry = { uid, gateways: new Map() };
    entries.set(key, entry);
    return entry;
  }

  return {
    hear(key, uid, { gateway, held, requests }) {
      const { gateways } = entryOf(key, uid);
      if (requests === 0) gateways.delete(gateway);
      else gateways.set(gateway, { held, requests, at: clock.monotonic() });
    },
    of(key) {
      const sum = { held: 0, requests: 0 };
      const gateways = entries.get(key)?.gateways ?? new Map<string, GatewayLoad & { at: number }>();
      for (const [gateway, { at, held, requests }] of gateways) {
        if (clock.monotonic() - at > STALE_MS) {
          gateways.delete(gateway);
          continue;
        }
        sum.held += held;
        sum.requests += requests;
      }
      return sum;
    },
    forget: (key) => void entries.delete(key),
  };
}
