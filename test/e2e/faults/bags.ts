/** The service `bags` of an untrained model, to which the faults happen, and the pods that matter to it. */
import type { SparseInferenceService } from '../../../src/api/types';
import { findCondition } from '../../../src/kube/conditions';
import { apply, applyClaim, forward, get, kubectl, list, operatorNamespace, until } from '../cluster';
import { deleteByForce, killProcesses, processesOf } from '../kill';
import { writeUntrainedModel } from '../untrained';

export type Pod = {
  metadata: { name: string; uid: string; deletionTimestamp?: string; deletionGracePeriodSeconds?: number };
  status: { conditions?: { type: string; status: string }[]; containerStatuses?: { restartCount: number }[] };
};

export const body = { prompt: 'a photo of a bag', seed: 1 };

const isServing = ({ metadata, status }: Pod) =>
  metadata.deletionTimestamp === undefined &&
  status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;

export const restartsOf = ({ status }: Pod) => status.containerStatuses?.[0]?.restartCount ?? 0;

/** Pods of one kind, as faults change them. */
export type PodSet = {
  namespace: string;
  now: () => Promise<Pod[]>;
  /** Returns them once there are so many and all of them serve, none of those with the names in `without`. */
  serving: (count: number, without?: readonly string[]) => Promise<Pod[]>;
  /** Returns once a container of the pod was started again and serves. */
  restarted: (pod: Pod) => Promise<void>;
};

function podSet(namespace: string, selector: string): PodSet {
  const now = () => list<Pod>(namespace, 'pods', selector);
  return {
    namespace,
    now,
    serving: (count, without = []) =>
      until(
        now,
        (pods) =>
          pods.length === count &&
          pods.every((pod) => isServing(pod) && !without.includes(pod.metadata.name)),
        `${count} serving pods of ${selector}`,
        180_000,
      ),
    async restarted({ metadata, status }) {
      const again = (pod: Pod) => restartsOf(pod) > restartsOf({ metadata, status }) && isServing(pod);
      const is = ({ metadata: { uid } }: Pod) => uid === metadata.uid;
      await until(now, (pods) => pods.some((pod) => is(pod) && again(pod)), `a restart of ${metadata.name}`);
    },
  };
}

const ofOperator = (name: string) => podSet(operatorNamespace(), `app.kubernetes.io/name=${name}`);
export const operators = () => ofOperator('sparsedm-operator');
export const gateways = () => ofOperator('sparsedm-operator-gateway');

/** Ends the operator without a warning; returns once another one leads. */
export async function killOperator(): Promise<void> {
  const [{ metadata }] = (await operators().serving(1)) as [Pod];
  if (processesOf(metadata.name).length > 0) killProcesses(metadata.name);
  await deleteByForce(operatorNamespace(), metadata.name);
  await operators().serving(1, [metadata.name]);
}

export type Bags = {
  host: string;
  pods: PodSet;
  read: () => Promise<SparseInferenceService>;
  patch: (spec: object) => Promise<void>;
  /** Waits until what the spec asks for serves. */
  settled: () => Promise<void>;
  /** Waits until requests go directly to the pods, or by the gateway. */
  reachedBy: (mode: 'Direct' | 'Gateway') => Promise<void>;
};

export function bagsOf(namespace: string): Bags {
  const read = () => get<SparseInferenceService>(namespace, 'sis/bags');
  const isSettled = ({ metadata, status }: SparseInferenceService) =>
    status?.observedGeneration === metadata.generation &&
    findCondition(status?.conditions, 'UpToDate')?.status === 'True' &&
    findCondition(status?.conditions, 'Ready')?.status === 'True' &&
    findCondition(status?.conditions, 'Reconciling') === undefined;
  return {
    host: `bags.${namespace}.svc`,
    pods: podSet(namespace, 'sparsedm.io/service=bags'),
    read,
    async patch(spec) {
      const change = ['patch', 'sis/bags', '--type=merge', '-p', JSON.stringify({ spec })];
      await kubectl(['-n', namespace, ...change]);
    },
    settled: async () => void (await until(read, isSettled, 'what the spec asks for', 240_000)),
    reachedBy: async (mode) =>
      void (await until(read, ({ status }) => status?.traffic?.mode === mode, `the mode ${mode}`)),
  };
}

/** Writes the model, and creates the service. */
export async function createBags(namespace: string, spec: object, accessMode?: string): Promise<Bags> {
  await applyClaim(namespace, accessMode);
  await writeUntrainedModel(namespace);
  await apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseInferenceService',
    metadata: { name: 'bags' },
    spec: { model: { uri: 'pvc://models/bags' }, ...spec },
  });
  return bagsOf(namespace);
}

/** Sum of a metric of the gateways for the namespace's service, over the pods or of one of them. */
export async function gatewayMetric(name: string, labels: string, of?: readonly Pod[]): Promise<number> {
  let sum = 0;
  for (const { metadata } of of ?? (await gateways().now())) {
    const text = await forward(operatorNamespace(), `pod/${metadata.name}`, 8080, async (url) =>
      (await fetch(`${url}/metrics`)).text(),
    );
    for (const line of text.split('\n')) {
      if (!line.startsWith(name) || !line.includes(labels)) continue;
      sum += Number(line.slice(line.lastIndexOf(' ')));
    }
  }
  return sum;
}
