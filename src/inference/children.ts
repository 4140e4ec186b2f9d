/**
 * Children that exist only while a service asks for them. One mechanism creates, changes and deletes them; the kinds
 * are listed in child-kinds.ts. To add one:
 *
 * 1. Write a pure builder and its ChildKind in a module of its own, as in budget.ts.
 * 2. Add the kind to the list in child-kinds.ts: the manager then watches it, and its changes start a pass.
 * 3. Add its rights to the chart's namespaceRules: get, list, watch, create, patch, delete.
 * 4. Read it where the status needs it: `childOf(observed.children, resource)`.
 *
 * A kind that a cluster may lack (of a CustomResourceDefinition) says with `whenMissing` what to do about it. The child
 * carries `serverLabels` and `ownerReference(service)`, so that it is watched, and goes with its service.
 */
import { REASONS } from '../api/conditions';
import type { SparseInferenceService } from '../api/types';
import { no, unknown, yes, type Verdict } from '../api/verdict';
import type { KubeClient } from '../kube/client';
import { isOwnedBy } from '../kube/owner';
import type { Deployment, Pod, Service } from '../kube/resources';
import type { Store } from '../runtime/cache/store';
import { defined } from '../runtime/defined';
import { apiVersionOf, keyOf, type KubeObject, type Resource } from '../runtime/objects';
import { refusalFrom, type Refusal } from '../workload/refusal';
import type { Scaling } from './scaling';
import type { TrafficPlan } from './traffic';

/** What builders see of the pass. */
export type ChildContext = {
  service: SparseInferenceService;
  deployment: Deployment | undefined;
  pods: readonly Pod[];
  network?: Service | undefined;
  scaling?: Scaling | undefined;
  traffic?: TrafficPlan | undefined;
  children?: readonly Child[] | undefined;
};

export type ChildKind<T extends KubeObject = KubeObject> = {
  readonly resource: Resource<T>;
  /** The field that asks for it, for messages: spec.podDisruptionBudget. */
  readonly field: string;
  nameOf(service: string): string;
  /**
   * The child to have; undefined where none is asked for. `live` is the one that is there, if it is ours: a builder that
   * returns it leaves it as it is.
   */
  build(context: ChildContext, live: T | undefined): T | undefined;
  /** Only for kinds that a cluster may lack: what to install, or what to write instead. */
  readonly whenMissing?: string;
  /** Comes and goes with the traffic, so that the condition names it only in trouble. */
  readonly isPassing?: true;
};

export type Child = {
  kind: ChildKind;
  name: string;
  /** The object of this name in the cache, whether ours or not. */
  found: KubeObject | undefined;
  /** What this pass left there that is ours. */
  live?: KubeObject | undefined;
  wanted?: boolean;
  /** Why it is not as asked for. */
  trouble?: Refusal;
  /** A failure that a retry settles, so that the user need not know. */
  retry?: Error;
};

export type Children = {
  /** From the cache. */
  readonly observe: (service: SparseInferenceService) => Child[];
  /** Creates, changes and deletes what differs. Never throws: a failure is in the child's `trouble` or `retry`. */
  readonly apply: (context: ChildContext) => Promise<Child[]>;
};

export type ChildrenDependencies = {
  client: KubeClient;
  kinds: readonly ChildKind[];
  readonly storeOf: (kind: ChildKind) => Pick<Store<KubeObject>, 'get'>;
  /** Whether the cluster lacks the kind. */
  readonly isMissing: (resource: Resource) => boolean;
};

/** Where no kind of child is known. */
export const noChildren: Children = { observe: () => [], apply: () => Promise.resolve([]) };

export function createChildren({ client, kinds, storeOf, isMissing }: ChildrenDependencies): Children {
  const stores = kinds.map((kind) => ({ kind, store: storeOf(kind) }));

  function observe({ metadata: { name, namespace = '' } }: SparseInferenceService): Child[] {
    return stores.map(({ kind, store }) => {
      const childName = kind.nameOf(name);
      return { kind, name: childName, found: store.get(namespace, childName) };
    });
  }

  async function settle(child: Child, context: ChildContext): Promise<Child> {
    const { kind, found } = child;
    const live = found !== undefined && isOwnedBy(found, context.service) ? found : undefined;
    const desired = kind.build(context, live);
    const wanted = desired !== undefined;
    try {
      if (!wanted) {
        await remove(kind, live);
        return { ...child, wanted };
      }
      if (desired === live) return { ...child, live, wanted };
      if (isMissing(kind.resource)) return { ...child, wanted, trouble: missing(kind) };
      return { ...child, wanted, ...(await write(child, desired, context.service)) };
    } catch (error) {
      return { ...child, live, wanted, ...failureOf(child, error) };
    }
  }

  async function remove(kind: ChildKind, live: KubeObject | undefined): Promise<void> {
    if (live === undefined || live.metadata.deletionTimestamp !== undefined) return;
    await client.delete(kind.resource, keyOf(live), defined({ uid: live.metadata.uid }));
  }

  /**
   * A child that is not in the cache is looked for first: an object without our labels may have its name, and apply
   * would merge into it.
   */
  async function write(
    { kind, found }: Child,
    desired: KubeObject,
    service: SparseInferenceService,
  ): Promise<Pick<Child, 'live' | 'trouble'>> {
    const { resource } = kind;
    const current = found ?? (await client.get(resource, keyOf(desired)));
    if (current === undefined) return { live: await client.apply(resource, desired, { force: false }) };
    if (!isOwnedBy(current, service)) return { trouble: conflict(kind, current) };
    // Somebody deletes it; the watch reports when it is gone.
    if (current.metadata.deletionTimestamp !== undefined) return {};
    // The uid keeps an update from touching another object that has since taken the name.
    const metadata = defined({ ...desired.metadata, uid: current.metadata.uid });
    return { live: await client.apply(resource, { ...desired, metadata }, { live: found }) };
  }

  return {
    observe,
    async apply(context) {
      const settled: Child[] = [];
      for (const child of context.children ?? []) settled.push(await settle(child, context));
      return settled;
    },
  };
}

function missing({ resource, field, whenMissing }: ChildKind): Refusal {
  const what = `${field} needs the kind ${resource.kind} of ${apiVersionOf(resource)}, which this cluster does not have`;
  return { reason: REASONS.kindMissing, message: `${what}: ${whenMissing ?? 'install it'}.`, final: false };
}

function conflict({ resource, field }: ChildKind, { metadata: { name } }: KubeObject): Refusal {
  const message = `The ${resource.kind} ${name}, which ${field} asks for, exists and belongs to another owner, so it is left alone: delete or rename it, or use another name for the SparseInferenceService.`;
  return { reason: REASONS.nameConflict, message, final: false };
}

/** The API server's own words, or an error that a retry settles. */
function failureOf({ kind: { resource, field }, name }: Child, error: unknown): Partial<Child> {
  try {
    const refusal = refusalFrom(error);
    const message = `The API server refuses the ${resource.kind} ${name}, which ${field} asks for: ${refusal.message}`;
    return { trouble: { ...refusal, message } };
  } catch (passing) {
    return { retry: passing instanceof Error ? passing : new Error(String(passing)) };
  }
}

/** The child of this kind as it is; undefined where there is none of ours. */
export function childOf<T extends KubeObject>(
  children: readonly Child[] | undefined,
  resource: Resource<T>,
): T | undefined {
  // The resource's type says what its objects look like.
  return children?.find(({ kind }) => kind.resource === resource)?.live as T | undefined;
}

/** Why the child of this kind is not as asked for. */
export function troubleOf(children: readonly Child[] | undefined, resource: Resource): Refusal | undefined {
  return children?.find(({ kind }) => kind.resource === resource)?.trouble;
}

/** What the pass has to fail with, once the status is written, so that it is tried again with back-off. */
export function retryOf(children: readonly Child[] = []): Error | undefined {
  return children.map(({ trouble, retry }) => trouble?.retry ?? retry).find((error) => error !== undefined);
}

/** Whether to look again soon: no watch reports that a foreign object went, or that a kind was installed. */
export function hasTrouble(children: readonly Child[] = []): boolean {
  return children.some(({ trouble }) => trouble !== undefined);
}

/** Undefined while nothing beside the Deployment and the Service is asked for. */
export function judgeChildren(children: readonly Child[] = []): Verdict | undefined {
  const wanted = children.filter(({ kind, wanted }) => wanted === true && kind.isPassing !== true);
  const troubles = children.flatMap(({ trouble }) => trouble ?? []);
  const [first] = troubles;
  if (first !== undefined) return no(first.reason, troubles.map(({ message }) => message).join(' '));
  if (wanted.length === 0) return undefined;
  const open = wanted.filter(({ live }) => live === undefined);
  if (open.length > 0) return unknown(REASONS.updating, `Not there yet: ${listed(open)}.`);
  return yes(REASONS.applied, `As the spec asks: ${listed(wanted)}.`);
}

function listed(children: readonly Child[]): string {
  return children.map(({ kind, name }) => `${kind.resource.kind} ${name}`).join(', ');
}
