/**
 * Where the requests for a service go. Its Service always has the pods' EndpointSlice of Kubernetes; the gateway comes
 * in by a second one of the same Service, and for all requests by a selector that no pod has. Adding comes before
 * removing: what is new has to be there for PROPAGATION_MS before what it replaces goes.
 */
import { REASONS } from '../api/conditions';
import type { SparseInferenceService } from '../api/types';
import { findCondition } from '../kube/conditions';
import type { Pod, Service } from '../kube/resources';
import type { Clock } from '../runtime/clock';
import { defined } from '../runtime/defined';
import { keyOf, keyText } from '../runtime/objects';
import { isDeleting, isReady } from '../workload/pod-state';
import type { Gateways } from './gateways';
import type { Ports } from './ports';
import { isStopped, sleeps, type Scaling } from './scaling';
import { selectsPods } from './service';

/** Time for a change of endpoints or of a selector to reach every node's rules. */
export const PROPAGATION_MS = 5_000;

/** Time after which the last pod ends for its successor even if requests do not reach the gateway. */
export const MOST_WAIT_MS = 60_000;

/**
 * For how long something has been so, in milliseconds of this process; undefined where it isn't. After a restart of the
 * operator each wait begins anew, which only keeps for longer what is there.
 */
type Since = number | undefined;

export type TrafficSeen = {
  /** The addresses of the gateways that are ready. */
  addresses: readonly string[];
  /** Why a service can't rely on a gateway; undefined where it can. */
  trouble: string | undefined;
  /** The port for the status; undefined where the service needs no gateway. */
  port: number | undefined;
  /** The port is in the status, so that gateways listen on it. */
  opened: Since;
  /** Our EndpointSlice leads to a gateway. */
  sliced: Since;
  hasSlice: boolean;
  /** The Service selects the pods. */
  selected: Since;
  /** A pod is ready. */
  serves: Since;
  /** A rollout waits for the gateway, or has waited in vain. */
  awaited?: Since;
  /** How long the last wake took, where this process has seen it. */
  wakeSeconds: string | undefined;
};

/** Time until it is looked again for gateways that are all away: no watch reports that they stay so. */
const LOOK_AGAIN_MS = 15_000;

export type TrafficPlan = {
  /** What the gateway's EndpointSlice holds; undefined for none. */
  slice: { port: number; addresses: readonly string[] } | undefined;
  /** Whether the Service selects no pod, so that every request goes to the gateway. */
  isGatewayOnly: boolean;
  status: { mode: 'Direct' | 'Gateway'; gatewayPort: number; wakeSeconds?: string } | undefined;
  /** The end of the last pod waits until the gateway would hold the requests. */
  awaits: boolean;
  /** Milliseconds until something is due that no watch reports. */
  againMs: number | undefined;
};

export const DIRECT: TrafficPlan = {
  slice: undefined,
  isGatewayOnly: false,
  status: undefined,
  awaits: false,
  againMs: undefined,
};

/** Whether the next request would reach a gateway, were there no pod. */
export function maySleep({ sliced, addresses }: TrafficSeen): boolean {
  return addresses.length > 0 && isSettled(sliced);
}

function isSettled(since: Since): boolean {
  return since !== undefined && since >= PROPAGATION_MS;
}

/** What a rollout needs of the gateway. */
export type RolloutNeeds = {
  /** A canary is under way, whose requests only the gateway can divide. */
  isDivided: boolean;
  /** No pod may serve for a while, and the gateway holds the requests. */
  hasGap: boolean;
  /** That gap waits for the gateway. */
  awaits: boolean;
};

/**
 * Whether what ends the last pod has to wait: the next request would not reach a gateway yet, which would hold it. Not
 * for ever: the API server may refuse the gateway's EndpointSlice.
 */
export function awaitsGateway(seen: TrafficSeen | undefined): boolean {
  if (seen?.port === undefined || seen.trouble !== undefined) return false;
  return !maySleep(seen) && (seen.awaited ?? 0) < MOST_WAIT_MS;
}

/** Pure. */
export function planTraffic(
  service: SparseInferenceService,
  seen: TrafficSeen | undefined,
  scaling: Scaling | undefined,
  needs: RolloutNeeds,
): TrafficPlan {
  if (seen?.port === undefined) return DIRECT;
  const { port, addresses, wakeSeconds } = seen;
  const isAsked = asksForGateway(service, seen, needs);
  const isBridged = bridges(seen, needs);
  const isSliced = needsSlice(seen, scaling, isAsked || isBridged);
  const isGatewayOnly = isAsked && mayLeavePods(seen);
  const isAlone = isGatewayOnly || (isSliced && isEmpty(seen, isBridged || sleeps(scaling)));
  return {
    slice: isSliced ? { port, addresses } : undefined,
    isGatewayOnly,
    status: { mode: isAlone ? 'Gateway' : 'Direct', gatewayPort: port, ...defined({ wakeSeconds }) },
    awaits: needs.awaits,
    againMs: againMs(seen, needs),
  };
}

/** A service that is stopped has nothing to wait for. */
function asksForGateway(
  service: SparseInferenceService,
  { addresses }: TrafficSeen,
  { isDivided }: RolloutNeeds,
): boolean {
  const isAsked = service.spec.gateway === 'Always' || isDivided;
  return isAsked && !isStopped(service) && addresses.length > 0;
}

function bridges({ addresses }: TrafficSeen, { hasGap }: RolloutNeeds): boolean {
  return hasGap && addresses.length > 0;
}

/** `mayBe`: a service that has no pod by mistake is not one that the gateway answers for. */
function isEmpty({ serves }: TrafficSeen, mayBe: boolean): boolean {
  return mayBe && serves === undefined;
}

function mayLeavePods({ selected, hasSlice, sliced }: TrafficSeen): boolean {
  return selected === undefined ? hasSlice : isSettled(sliced);
}

function needsSlice(seen: TrafficSeen, scaling: Scaling | undefined, isAsked: boolean): boolean {
  const { hasSlice, opened, selected, serves } = seen;
  // The gateways open the port first.
  if (!hasSlice && !isSettled(opened)) return false;
  if (isAsked) return true;
  // The addresses of the pods have to reach every node before the gateway's go.
  if (hasSlice && (!isSettled(selected) || isNew(serves))) return true;
  return sleeps(scaling) && (isFalling(scaling) || !isSettled(serves));
}

function isNew(since: Since): boolean {
  return since !== undefined && !isSettled(since);
}

/** Whether the last pods go, or are about to. */
function isFalling(scaling: Scaling | undefined): boolean {
  return scaling?.replicas === 0 || scaling?.evaluation?.decision.outcome === 'fallingAsleep';
}

function againMs(seen: TrafficSeen, { awaits }: RolloutNeeds): number | undefined {
  const { opened, sliced, selected, serves, awaited = 0, addresses, trouble } = seen;
  const open = [opened, sliced, selected, serves].flatMap((since) =>
    since !== undefined && since < PROPAGATION_MS ? PROPAGATION_MS - since : [],
  );
  const away = addresses.length === 0 && trouble === undefined ? [LOOK_AGAIN_MS] : [];
  const waiting = awaits ? [MOST_WAIT_MS - awaited] : [];
  const due = [...open, ...away, ...waiting];
  return due.length === 0 ? undefined : Math.min(...due);
}

type Facts = Partial<Record<'opened' | 'sliced' | 'selected' | 'serves' | 'awaited', number>>;
type Memory = {
  uid: string;
  facts: Facts;
  wakesSince?: number | undefined;
  wakeSeconds?: string | undefined;
};

export type TrafficContext = {
  service: SparseInferenceService;
  network: Service | undefined;
  pods: readonly Pod[];
  /** A rollout may leave the service without a pod for a while. */
  mayHaveGap: boolean;
  /** Ports and numbers of endpoints of the gateway's EndpointSlices that are there. */
  slices: readonly { port: number | undefined; endpoints: number }[];
};

export type Traffic = {
  observe(context: TrafficContext): TrafficSeen;
  /** Notes when a wake begins. */
  note(service: SparseInferenceService, scaling: Scaling | undefined): void;
  /** Notes when a rollout begins to wait, until its gap is over. */
  noteGap(service: SparseInferenceService, gap: Pick<RolloutNeeds, 'hasGap' | 'awaits'>): void;
  /** Until an operator's next start everything is remembered that is not in the cluster. */
  forget(key: string): void;
};

export type TrafficDependencies = {
  clock: Pick<Clock, 'monotonic' | 'now'>;
  gateways: Gateways;
  ports: Ports;
};

export function createTraffic({ clock, gateways, ports }: TrafficDependencies): Traffic {
  const memories = new Map<string, Memory>();

  function memoryOf({ metadata }: SparseInferenceService, key: string): Memory {
    const { uid = '' } = metadata;
    const known = memories.get(key);
    if (known?.uid === uid) return known;
    const memory: Memory = { uid, facts: {} };
    memories.set(key, memory);
    return memory;
  }

  function since({ facts }: Memory, fact: keyof Facts, isSo: boolean): Since {
    if (!isSo) {
      delete facts[fact];
      return undefined;
    }
    facts[fact] ??= clock.monotonic();
    return clock.monotonic() - facts[fact];
  }

  function portOf(service: SparseInferenceService, mayHaveGap: boolean): number | undefined {
    const isNeeded = needsPort(service) || mayHaveGap;
    return gateways.isTold && isNeeded ? ports.of(service) : undefined;
  }

  /** A wake that an operator before this one began is timed from its first pod. */
  function resumeWake(memory: Memory, { status }: SparseInferenceService, pods: readonly Pod[]): void {
    const isWaking = findCondition(status?.conditions, 'Ready')?.reason === REASONS.waking;
    if (!isWaking || memory.wakesSince !== undefined) return;
    const ages = pods.filter((pod) => !isDeleting(pod)).map(({ metadata }) => ageMs(metadata));
    if (ages.length > 0) memory.wakesSince = clock.monotonic() - Math.max(...ages);
  }

  function ageMs({ creationTimestamp }: Pod['metadata']): number {
    const now = clock.now().getTime();
    return creationTimestamp === undefined ? 0 : Math.max(0, now - Date.parse(creationTimestamp));
  }

  function endWake(memory: Memory, serves: boolean): void {
    if (!serves || memory.wakesSince === undefined) return;
    memory.wakeSeconds = ((clock.monotonic() - memory.wakesSince) / 1000).toFixed(1);
    memory.wakesSince = undefined;
  }

  return {
    observe({ service, network, pods, slices, mayHaveGap }) {
      const key = keyText(keyOf(service));
      const memory = memoryOf(service, key);
      const addresses = gateways.addresses();
      const port = portOf(service, mayHaveGap);
      const serves = pods.some((pod) => isReady(pod) && !isDeleting(pod));
      if (!serves) resumeWake(memory, service, pods);
      endWake(memory, serves);
      const { traffic } = service.status ?? {};
      const isWritten = port !== undefined && traffic?.gatewayPort === port;
      const leads = slices.some((slice) => slice.endpoints > 0 && slice.port === port);
      return {
        addresses,
        trouble: gateways.trouble(),
        port,
        opened: since(memory, 'opened', isWritten && addresses.length > 0),
        sliced: since(memory, 'sliced', leads && addresses.length > 0),
        hasSlice: slices.length > 0,
        selected: since(memory, 'selected', selectsPods(network)),
        serves: since(memory, 'serves', serves),
        awaited: since(memory, 'awaited', memory.facts.awaited !== undefined),
        wakeSeconds: memory.wakeSeconds ?? traffic?.wakeSeconds,
      };
    },
    noteGap(service, { hasGap, awaits }) {
      const memory = memoryOf(service, keyText(keyOf(service)));
      since(memory, 'awaited', awaits || (hasGap && memory.facts.awaited !== undefined));
    },
    note(service, scaling) {
      const memory = memoryOf(service, keyText(keyOf(service)));
      if (scaling?.evaluation?.decision.outcome === 'waking') memory.wakesSince ??= clock.monotonic();
      else if (scaling?.replicas === 0) memory.wakesSince = undefined;
    },
    forget(key) {
      memories.delete(key);
      ports.forget(key);
    },
  };
}

/** A port once given is kept for the service's life. */
export function needsPort({ spec, status }: SparseInferenceService): boolean {
  const { gateway, scaling, rollout } = spec;
  return (
    gateway === 'Always' ||
    scaling?.minReplicas === 0 ||
    rollout?.strategy === 'Canary' ||
    status?.traffic?.gatewayPort !== undefined
  );
}
