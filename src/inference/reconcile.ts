import { sparseInferenceServices, type SparseFinetune, type SparseInferenceService } from '../api/types';
import type { KubeClient } from '../kube/client';
import { labels, serverDeploymentName, serviceName } from '../kube/names';
import { equalJson } from '../kube/patch';
import { deployments, services, type Deployment, type Pod, type Service } from '../kube/resources';
import type { Clock } from '../runtime/clock';
import type { Reconciler, ReconcileResult } from '../runtime/controller';
import { isAlreadyExists } from '../runtime/errors';
import type { EventRecorder } from '../runtime/events';
import { keyOf, type ObjectKey } from '../runtime/objects';
import type { Store } from '../runtime/store';
import { settingBehind } from '../workload/fields';
import { refusalFrom, RETRY_REFUSED_MS } from '../workload/refusal';
import type { DeploymentSettings } from './deployment';
import { isForeign, plan, type Observed, type Plan } from './plan';
import { buildStatus } from './status';
import { transitions } from './transitions';

export type ServiceDependencies = {
  client: KubeClient;
  clock: Clock;
  events: EventRecorder;
  settings: DeploymentSettings;
  services: Store<SparseInferenceService>;
  finetunes: Store<SparseFinetune>;
  deployments: Store<Deployment>;
  networks: Store<Service>;
  /** With the index `service` over `namespace/name` of the SparseInferenceService that the label names. */
  pods: Store<Pod>;
};

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
  const { client, clock, events, settings } = dependencies;

  function observe(service: SparseInferenceService): Observed {
    const { name, namespace = '' } = service.metadata;
    const { finetuneRef } = service.spec.model;
    return {
      service,
      finetune: finetuneRef && dependencies.finetunes.get(namespace, finetuneRef.name),
      deployment: dependencies.deployments.get(namespace, serverDeploymentName(name)),
      network: dependencies.networks.get(namespace, serviceName(name)),
      pods: dependencies.pods.byIndex(SERVICE_INDEX, `${namespace}/${name}`),
    };
  }

  /** A new Service is created and never merged into one that somebody else made meanwhile. */
  async function applyNetwork(desired: Service, cached: Service | undefined): Promise<Service | undefined> {
    // A selector that says more than ours is wrong, although it holds all that would be applied.
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
   * A new Deployment is applied without force: on one that somebody else made meanwhile this ends in a conflict (its
   * selector is another's and can't change), and nothing is adopted.
   */
  async function applyDeployment(
    desired: Deployment,
    live: Deployment | undefined,
  ): Promise<Deployment | undefined> {
    const isNew = desired.metadata.uid === undefined;
    try {
      return await client.apply(deployments, desired, { force: !isNew, live });
    } catch (error) {
      const existing = isNew ? await client.get(deployments, keyOf(desired)) : undefined;
      if (existing === undefined) throw error;
      return existing;
    }
  }

  async function apply(observed: Observed, planned: Plan): Promise<Observed> {
    const result = { ...observed };
    try {
      if (planned.network !== undefined) {
        result.network = await applyNetwork(planned.network, observed.network);
      }
      if (planned.deployment !== undefined) {
        result.deployment = await applyDeployment(planned.deployment, observed.deployment);
      }
    } catch (error) {
      result.refusal = refusalFrom(error, (field) =>
        settingBehind(field, 'spec.server', observed.service.spec.server, planned.deployment?.spec?.template),
      );
    }
    return result;
  }

  async function reconcile({ namespace, name }: ObjectKey): Promise<ReconcileResult> {
    const service = dependencies.services.get(namespace, name);
    if (service === undefined || service.metadata.deletionTimestamp !== undefined) return undefined;
    const before = observe(service);
    const planned = plan(before, settings);
    const observed = await apply(before, planned);
    const status = buildStatus(observed, planned.resolution, clock.now());
    if (await client.patchStatus(sparseInferenceServices, service, status)) {
      for (const { type, reason, message } of transitions(service, status)) {
        events.event(service, type, reason, message);
      }
    }
    if (observed.refusal?.retry !== undefined) throw observed.refusal.retry;
    return isHindered(observed) ? { requeueAfterMs: RETRY_REFUSED_MS } : undefined;
  }

  return { reconcile };
}

/** A foreign child carries no label of ours, so that nobody tells when it goes; nor does anybody tell of a quota. */
function isHindered({ service, deployment, network, refusal }: Observed): boolean {
  return refusal !== undefined || isForeign(deployment, service) || isForeign(network, service);
}
