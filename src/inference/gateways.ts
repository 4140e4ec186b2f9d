/** The gateways' pods, which the operator watches in its own namespace. */
import type { Pod } from '../kube/resources';
import type { Store } from '../runtime/cache/store';
import type { Clock } from '../runtime/clock';
import { defined } from '../runtime/defined';
import { isDeleting, isReady } from '../workload/pod-state';

export type GatewayAccount = {
  /** Namespace of the gateways and of their ServiceAccount. */
  namespace: string;
  /** The ServiceAccount. */
  name: string;
  /** Label selector of their pods. */
  selector: string;
};

export type Gateways = {
  /** Whether the operator was told of a gateway. */
  readonly isTold: boolean;
  /** Of the gateways that take requests, sorted. */
  addresses(): readonly string[];
  /** Why services can't rely on a gateway, with a command, and without a full stop; undefined where they can. */
  trouble(): string | undefined;
};

/** Time for which all gateways may be gone, as in a drain, before sleeping services are woken for it. */
const PATIENCE_MS = 60_000;

export const noGateways: Gateways = {
  isTold: false,
  addresses: () => [],
  trouble: () => 'this operator was started without a gateway: install the chart with gateway.enabled=true',
};

export function createGateways(options: {
  account: GatewayAccount;
  pods: Pick<Store<Pod>, 'list'>;
  clock: Pick<Clock, 'monotonic'>;
}): Gateways {
  const { account, pods, clock } = options;
  const { namespace, selector } = account;
  let seenAt = clock.monotonic();

  function addresses(): readonly string[] {
    const found = pods
      .list(namespace)
      .filter((pod) => isReady(pod) && !isDeleting(pod))
      .flatMap(({ status }) => (status?.podIPs ?? []).map(({ ip }) => ip))
      .sort();
    if (found.length > 0) seenAt = clock.monotonic();
    return found;
  }

  return {
    isTold: true,
    addresses,
    trouble() {
      if (addresses().length > 0 || clock.monotonic() - seenAt < PATIENCE_MS) return undefined;
      return `no pod of the gateway is ready: kubectl get pods -n ${namespace} -l ${selector}`;
    },
  };
}

/** What the cache keeps of a gateway's pod. */
export function cachedGateway({ apiVersion, kind, metadata, status = {} }: Pod): Pod {
  const { name, namespace, uid, resourceVersion, deletionTimestamp, labels } = metadata;
  return {
    apiVersion,
    kind,
    metadata: { name, ...defined({ namespace, uid, resourceVersion, deletionTimestamp, labels }) },
    status: {
      ...defined({ phase: status.phase, podIPs: status.podIPs }),
      conditions: (status.conditions ?? []).filter(({ type }) => type === 'Ready'),
    },
  };
}
