import type { Autoscaler } from '../autoscale/autoscaler';
import type { Tally } from '../rollout/tally';
import { REASONS } from '../api/conditions';
import { sparseInferenceServices, type SparseFinetune, type SparseInferenceService } from '../api/types';
import { FIELD_MANAGER, type KubeClient } from '../kube/client';
import { canaryDeploymentName, labels, serverDeploymentName, serviceName } from '../kube/names';
import { equalJson } from '../kube/patch';
import { deployments, services, type Deployment, type Pod, type Service } from '../kube/resources';
import type { Store } from '../runtime/cache/store';
import type { Clock } from '../runtime/clock';
import type { Reconciler, ReconcileResult } from '../runtime/controller';
import { defined } from '../runtime/defined';
import { isAlreadyExists } from '../runtime/errors';
import type { EventRecorder } from '../runtime/events';
import { keyOf, keyText, type ObjectKey } from '../runtime/objects';
import { settingBehind } from '../workload/fields';
import { refusalFrom, RETRY_REFUSED_MS } from '../workload/refusal';
import { figuresOf, isCanaryPod } from './canary';
import { hasTrouble, noChildren, retryOf, type Children } from './children';
import type { DeploymentSettings } from './deployment';
import { createHistory, isUnlisted } from './history';
import { qualityOf, type QualityBoard } from './quality';
import { isCurrent, isForeign, onlyOnto, plan, targetModel, type Observed, type Plan } from './plan';
import { APPLIED_ANNOTATION, drift, fromRecord, ownedSpec, readRecord } from './record';
import { wantedRevision } from './revision';
import {
  countsOf,
  findUnplaced,
  hasArrived,
  isReplacing,
  mayHaveGap,
  PATIENCE_MS,
  type Unplaced,
} from './rollout';
import { buildStatus } from './status';
import { transitions } from './transitions';
import { evaluateScaling } from './scaling';
import { dueReplicas } from './scaling-owner';
import { slicesOf } from './slices';
import { maySleep, type Traffic } from './traffic';
import { multiAttachFailure } from './volume';

export type ServiceDependencies = {
  client: KubeClient;
  clock: Clock;
  events: EventRecorder;
  settings: DeploymentSettings;
  autoscaler: Autoscaler;
  tally: Tally;
  quality: QualityBoard;
  services: Store<SparseInferenceService>;
  finetunes: Store<SparseFinetune>;
  deployments: Store<Deployment>;
  networks: Store<Service>;
  /** Those that exist only when asked for; none by default. */
  children?: Children;
  traffic?: Traffic;
  /** With the index `service` over `namespace/name` of the SparseInferenceService that the label names. */
  pods: Store<Pod>;
};

/** Field manager of replicas alone. */
export const SCALE_FIELD_MANAGER = 'sparsedm-scaler';

/** Name of the index of pods that ServiceDependencies needs. */
export const SERVICE_INDEX = 'service';
/** Name of the index of services by the SparseFinetune they serve. */
export const REFERENCE_INDEX = 'finetuneRef';

export function serviceOfPod(pod: Pod): string[] {
  const name = pod.metadata.labels?.[labels.service];
  return name === undefined ? [] : [`${pod.metadata.namespace ?? ''}/${name}`];
}

export function finetuneOfService({ metadata, spec }: SparseInferenceService): string[] {
  const { finetuneRef } = spec.model;
  return finetuneRef === undefined ? [] : [`${metadata.namespace ?? ''}/${finetuneRef.name}`];
}

export function createServiceReconciler(dependencies: ServiceDependencies): Reconciler {
  const { client, clock, events, settings, children = noChildren } = dependencies;
  /** Generation of the Deployments (by uid) that still differed from what was applied after the last apply. */
  const futile = new Map<string, number>();

  const history = createHistory({ client, clock });

  function observe(service: SparseInferenceService): Observed {
    const { name, namespace = '' } = service.metadata;
    const { finetuneRef } = service.spec.model;
    const deployment = dependencies.deployments.get(namespace, serverDeploymentName(name));
    const ours = isForeign(deployment, service) ? undefined : deployment;
    const pods = dependencies.pods.byIndex(SERVICE_INDEX, `${namespace}/${name}`);
    const network = dependencies.networks.get(namespace, serviceName(name));
    const found = children.observe(service);
    const paths = dependencies.traffic?.observe({
      ...{ service, network, pods, slices: slicesOf(found) },
      mayHaveGap: ours !== undefined && mayHaveGap(ours, pods),
    });
    const waking = paths && { trouble: paths.trouble, maySleep: maySleep(paths) };
    const scaling = evaluateScaling(dependencies.autoscaler, service, ours, pods, waking);
    dependencies.traffic?.note(service, scaling);
    return {
      service,
      deployment,
      pods: pods.filter((pod) => !isCanaryPod(pod)),
      canary: dependencies.deployments.get(namespace, canaryDeploymentName(name)),
      canaryPods: pods.filter(isCanaryPod),
      figures: figuresOf(dependencies.tally, service),
      quality: qualityOf(service, pods, heardQuality(service, pods)),
      scaling,
      paths,
      finetune: finetuneRef && dependencies.finetunes.get(namespace, finetuneRef.name),
      network,
      children: found,
    };
  }

  function heardQuality(service: SparseInferenceService, pods: readonly Pod[]) {
    return dependencies.quality.heard(keyText(keyOf(service)), service.metadata.uid ?? '', pods);
  }

  /** Creates a new Service; never merges into one that another owner has made in the meantime. */
  async function applyNetwork(desired: Service, cached: Service | undefined): Promise<Service | undefined> {
    // A selector with more labels than ours is wrong, although it holds everything that would be applied.
    const live = equalJson(cached?.spec?.selector, desired.spec?.selector) ? cached : undefined;
    if (desired.metadata.uid !== undefined) return client.apply(services, desired, { live });
    try {
      return await client.create(services, desired);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      return client.get(services, keyOf(desired));
    }
  }

  /**
   * Applies a new Deployment without force: where another owner has made one in the meantime, this ends in a conflict
   * (its selector differs and can't change), and nothing is adopted. One of ours that has lost its labels is not in the
   * cache, and gets them back.
   */
  async function createDeployment(service: SparseInferenceService, desired: Deployment): Promise<Deployment> {
    try {
      return await client.apply(deployments, desired, { force: false });
    } catch (error) {
      const existing = await client.get(deployments, keyOf(desired));
      if (existing === undefined) throw error;
      const spec = isForeign(existing, service) ? undefined : readRecord(existing);
      if (spec === undefined) return existing;
      return client.apply(deployments, onlyOnto(existing, fromRecord(service, existing, spec)));
    }
  }

  /**
   * Uses a field manager of its own, so that writes of the replicas and of the template never carry each other's
   * fields.
   */
  async function scale(live: Deployment, replicas: number): Promise<Deployment> {
    const { name, namespace, uid } = live.metadata;
    const metadata = defined({ name, namespace, uid });
    return client.applyPart(
      deployments,
      { metadata, spec: { replicas } },
      { fieldManager: SCALE_FIELD_MANAGER },
    );
  }

  /**
   * Writes the replicas first: once they are owned, a template applied without them leaves them as they are, even where
   * an earlier apply of ours held them.
   */
  async function updateDeployment(live: Deployment, { deployment, replicas }: Plan): Promise<Deployment> {
    const isDue = deployment !== undefined && !isFutile(live, deployment);
    if (replicas === undefined && !isDue) return live;
    const scaled = await scale(live, replicas ?? live.spec?.replicas ?? 1);
    if (!isDue) return scaled;
    const applied = await client.apply(deployments, deployment);
    noteFutile(applied, deployment);
    return applied;
  }

  /** Without this check, a field that the server stores in another form would be applied in every pass. */
  function isFutile(live: Deployment, desired: Deployment): boolean {
    const { uid = '', generation } = live.metadata;
    const same = equalJson(appliedOf(live), appliedOf(desired));
    return same && futile.get(uid) === generation;
  }

  function noteFutile(applied: Deployment, desired: Deployment): void {
    const { uid = '', generation = 0 } = applied.metadata;
    if (drift(applied, desired).length > 0) futile.set(uid, generation);
    else futile.delete(uid);
  }

  /** Records what an operator of a release without records applied. Changes no field of the spec. */
  async function record(service: SparseInferenceService, cached: Deployment): Promise<Deployment> {
    const live = await client.get(deployments, keyOf(cached));
    if (live?.spec === undefined || live.metadata.uid !== cached.metadata.uid) return cached;
    const spec = ownedSpec(live, FIELD_MANAGER) ?? live.spec;
    await scale(live, live.spec.replicas ?? 1);
    return client.apply(deployments, onlyOnto(live, fromRecord(service, live, spec)));
  }

  async function applyDeployment(observed: Observed, planned: Plan): Promise<Deployment | undefined> {
    const { service, deployment: live } = observed;
    if (live === undefined) return planned.deployment && createDeployment(service, planned.deployment);
    const known = planned.unrecorded ? await record(service, live) : live;
    return updateDeployment(known, planned);
  }

  async function applyCanary({ service, canary: live }: Observed, { canary }: Plan): Promise<void> {
    const { create, remove, scale: replicas } = canary;
    if (create !== undefined) await createDeployment(service, create);
    if (live !== undefined && replicas !== undefined) await scale(live, replicas);
    const { uid } = remove?.metadata ?? {};
    if (remove !== undefined && uid !== undefined) await client.delete(deployments, keyOf(remove), { uid });
  }

  async function apply(observed: Observed, planned: Plan): Promise<Observed> {
    const { rollout, traffic } = planned;
    const result: Observed = { ...observed, rollout, traffic };
    try {
      if (planned.deploys !== undefined) await history.keep(observed.service, planned.deploys);
      if (planned.network !== undefined) {
        result.network = await applyNetwork(planned.network, observed.network);
      }
      result.deployment = await applyDeployment(observed, planned);
      await applyCanary(observed, planned);
      result.revisions = await listServed(result, planned);
    } catch (error) {
      result.refusal = refusalFrom(error, (field) =>
        settingBehind(field, 'spec.server', observed.service.spec.server, planned.deployment?.spec?.template),
      );
    }
    result.children = await children.apply(result);
    return result;
  }

  /** The versions that served, once another one does. */
  async function listServed(observed: Observed, { resolution }: Plan): Promise<Observed['revisions']> {
    const { service, deployment } = observed;
    const model = targetModel(observed, resolution);
    if (model === undefined || deployment === undefined || isForeign(deployment, service)) return undefined;
    const serves = hasArrived(deployment) && countsOf(deployment).available > 0;
    if (!serves || !isCurrent(observed, model)) return undefined;
    return isUnlisted(service, wantedRevision(service, model))
      ? history.served(service, model, deployment)
      : undefined;
  }

  function tellOfDeployment(before: Observed, after: Observed, { restored, replacing }: Plan): void {
    const { service, deployment } = after;
    if (deployment === undefined || deployment === before.deployment || after.refusal !== undefined) return;
    if (restored.length > 0) {
      const message = `Restored fields that were changed in the Deployment ${deployment.metadata.name}: ${restored.join(', ')}. To change them, set spec.engine or spec.server of the SparseInferenceService.`;
      events.event(service, 'Warning', 'DriftRestored', message);
    }
    if (replacing !== undefined) {
      const message = `Replaces its replicas one by one in this rollout, because there is no room for another pod: ${replacing}`;
      events.event(service, 'Normal', REASONS.replacing, message);
    }
  }

  /** Before another engine begins, spec.replicas is what it has to begin from. */
  async function handOver(service: SparseInferenceService): Promise<SparseInferenceService> {
    const { name, namespace = '' } = service.metadata;
    const deployment = dependencies.deployments.get(namespace, serverDeploymentName(name));
    const replicas = dueReplicas(service, isForeign(deployment, service) ? undefined : deployment);
    if (replicas === undefined) return service;
    await client.patchScale(sparseInferenceServices, service, replicas);
    return { ...service, spec: { ...service.spec, replicas } };
  }

  /** An event for each change, not for each look. */
  function tellOfScaling({ service, scaling }: Observed): void {
    const before = service.status?.desiredReplicas;
    if (scaling?.evaluation === undefined || before === undefined || before === scaling.replicas) return;
    const reason = scaling.replicas > before ? 'ScaledUp' : 'ScaledDown';
    const { decision } = scaling.evaluation;
    events.event(
      service,
      'Normal',
      reason,
      `From ${before} to ${scaling.replicas} replicas. ${decision.reason}`,
    );
  }

  function forget(key: string): void {
    dependencies.autoscaler.forget(key);
    dependencies.autoscaler.forgetDemand(key);
    dependencies.tally.forget(key);
    dependencies.quality.forget(key);
    dependencies.traffic?.forget(key);
  }

  async function reconcile({ namespace, name }: ObjectKey): Promise<ReconcileResult> {
    const asked = dependencies.services.get(namespace, name);
    if (asked === undefined || asked.metadata.deletionTimestamp !== undefined) {
      forget(keyText({ namespace, name }));
      return undefined;
    }
    const { service: followed, missing } = await history.follow(asked);
    const service = await handOver(followed);
    const before = await withAttachFailure({ ...observe(service), missing });
    const planned = plan(before, settings, clock.now());
    dependencies.traffic?.noteGap(service, planned);
    const observed = await apply(before, planned);
    const status = buildStatus(observed, planned.resolution, settings, clock.now());
    if (await client.patchStatus(sparseInferenceServices, asked, status)) {
      for (const { type, reason, message } of transitions(asked, status)) {
        events.event(service, type, reason, message);
      }
      tellOfScaling(observed);
    }
    tellOfDeployment(before, observed, planned);
    const failed = observed.refusal?.retry ?? retryOf(observed.children);
    if (failed !== undefined) throw failed;
    return nextPass(observed, planned);
  }

  function nextPass(observed: Observed, planned: Plan): ReconcileResult {
    if (isHindered(observed)) return { requeueAfterMs: RETRY_REFUSED_MS };
    const scaleAgain = earlier(requeueForPlace(observed), observed.scaling?.evaluation?.againMs);
    const childAgain = hasTrouble(observed.children) ? RETRY_REFUSED_MS : undefined;
    const again = earlier(earlier(scaleAgain, planned.rollout.againMs), childAgain);
    return earlier(again, planned.traffic.againMs);
  }

  /** Adds why the node can't attach the volume of a pod that has waited too long. */
  async function withAttachFailure(observed: Observed): Promise<Observed> {
    const unplaced = unplacedOf(observed);
    if (unplaced?.lacks !== 'volume' || unplaced.pod === undefined) return observed;
    if (clock.now().getTime() - unplaced.since < PATIENCE_MS) return observed;
    return { ...observed, attachFailure: await multiAttachFailure(client, unplaced.pod) };
  }

  /** No watch reports that the time to find a place is over, nor a volume's later attach failures. */
  function requeueForPlace(observed: Observed): ReconcileResult {
    const unplaced = unplacedOf(observed);
    if (unplaced === undefined) return undefined;
    const leftMs = unplaced.since + PATIENCE_MS - clock.now().getTime();
    if (leftMs > 0) return { requeueAfterMs: leftMs };
    return unplaced.lacks === 'volume' ? { requeueAfterMs: PATIENCE_MS } : undefined;
  }

  return { reconcile };
}

/** The pod that waits for a place, unless the rollout already makes room for it. */
function unplacedOf({ service, deployment, pods }: Observed): Unplaced | undefined {
  if (deployment === undefined || isForeign(deployment, service)) return undefined;
  return isReplacing(deployment.spec?.strategy) ? undefined : findUnplaced(deployment, pods);
}

function earlier(result: ReconcileResult, ms: number | undefined): ReconcileResult {
  if (ms === undefined) return result;
  return { ...result, requeueAfterMs: Math.min(ms, result?.requeueAfterMs ?? Infinity) };
}

function appliedOf({ metadata }: Deployment): string | undefined {
  return metadata.annotations?.[APPLIED_ANNOTATION];
}

/** No watch reports when a foreign child goes, since it carries no label of ours, nor when a quota changes. */
function isHindered({ service, deployment, network, refusal }: Observed): boolean {
  return refusal !== undefined || isForeign(deployment, service) || isForeign(network, service);
}
