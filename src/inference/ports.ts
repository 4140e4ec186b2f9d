/** The port on which the gateways take a service's requests: unique among the services, and kept for life. */
import { createHash } from 'node:crypto';
import type { SparseInferenceService } from '../api/types';
import type { Store } from '../runtime/cache/store';
import { keyOf, keyText } from '../runtime/objects';

export const FIRST_PORT = 20_000;
export const LAST_PORT = 29_999;
const COUNT = LAST_PORT - FIRST_PORT + 1;

/** Name of the index of services by their port. */
export const PORT_INDEX = 'gatewayPort';

export function portOfService({ status }: SparseInferenceService): string[] {
  const port = status?.traffic?.gatewayPort;
  return port === undefined ? [] : [String(port)];
}

export type Ports = {
  /** The service's port, chosen where it has none yet; undefined when all are taken. Only for the leader. */
  of(service: SparseInferenceService): number | undefined;
  /** The service is gone. */
  forget(key: string): void;
};

/** `services`: with PORT_INDEX over `portOfService`. */
export function createPorts(services: Pick<Store<SparseInferenceService>, 'byIndex'>): Ports {
  /** Chosen ports by service, until they show in a status that the store holds, and after. */
  const chosen = new Map<string, number>();
  const owners = new Map<number, string>();

  /** Whether another service has it; of two that have one port somehow, the older keeps it. */
  function isTaken(port: number, service: SparseInferenceService): boolean {
    const owner = owners.get(port);
    if (owner !== undefined && owner !== keyText(keyOf(service))) return true;
    const isKept = service.status?.traffic?.gatewayPort === port;
    return services
      .byIndex(PORT_INDEX, String(port))
      .some((other) => other.metadata.uid !== service.metadata.uid && (!isKept || isOlder(other, service)));
  }

  function choose(service: SparseInferenceService): number | undefined {
    const first = startOf(keyText(keyOf(service)));
    for (let step = 0; step < COUNT; step++) {
      const port = FIRST_PORT + ((first + step) % COUNT);
      if (!isTaken(port, service)) return port;
    }
    return undefined;
  }

  function forget(key: string): void {
    const port = chosen.get(key);
    if (port !== undefined && owners.get(port) === key) owners.delete(port);
    chosen.delete(key);
  }

  return {
    of(service) {
      const key = keyText(keyOf(service));
      const kept = service.status?.traffic?.gatewayPort ?? chosen.get(key);
      const isGood = kept !== undefined && isPort(kept) && !isTaken(kept, service);
      const port = isGood ? kept : choose(service);
      if (chosen.get(key) === port) return port;
      forget(key);
      if (port === undefined) return undefined;
      chosen.set(key, port);
      owners.set(port, key);
      return port;
    },
    forget,
  };
}

function isPort(port: number): boolean {
  return port >= FIRST_PORT && port <= LAST_PORT;
}

/** Where the search for a free port begins: the same for a service that is made again. */
function startOf(key: string): number {
  return createHash('sha256').update(key).digest().readUInt32BE() % COUNT;
}

function isOlder(other: SparseInferenceService, service: SparseInferenceService): boolean {
  return ageOf(other) < ageOf(service);
}

/** Sorts as the services were created, in a total order. */
function ageOf({ metadata: { creationTimestamp = '', uid = '' } }: SparseInferenceService): string {
  return `${creationTimestamp} ${uid}`;
}
