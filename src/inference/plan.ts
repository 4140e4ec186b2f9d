import type { SparseFinetune, SparseInferenceService } from '../api/types';
import { isOwnedBy } from '../kube/owner';
import { covers, equalJson } from '../kube/patch';
import type { KubeObject } from '../runtime/objects';
import { defined } from '../api/defined';
import type { Deployment, Pod, Service } from '../kube/resources';
import type { Refusal } from '../workload/refusal';
import {
  buildDeployment,
  INPUTS_ANNOTATION,
  scaledDeployment,
  templateInputs,
  type DeploymentSettings,
} from './deployment';
import { resolveModel, type Resolution } from './model';
import { buildService } from './service';

export type Observed = {
  service: SparseInferenceService;
  /** The SparseFinetune that the spec names, if it exists. */
  finetune: SparseFinetune | undefined;
  /** Whatever Deployment and Service have the children's names, ours or not. */
  deployment: Deployment | undefined;
  network: Service | undefined;
  pods: readonly Pod[];
  /** Why the API server refused a child in this pass. */
  refusal?: Refusal | undefined;
};

export type Plan = {
  resolution: Resolution;
  /** The Service to write; undefined where it is right or not ours. */
  network: Service | undefined;
  /** The Deployment to write; undefined where it is right, not ours, or without a model to serve. */
  deployment: Deployment | undefined;
};

/** Replicas to run: a model whose gate has not passed gets no traffic, so it gets no pods. */
export function wantedReplicas({ spec }: SparseInferenceService, { gate }: Resolution): number {
  return gate.status === 'False' ? 0 : (spec.replicas ?? 1);
}

export function isForeign(child: Deployment | Service | undefined, service: SparseInferenceService): boolean {
  return child !== undefined && !isOwnedBy(child, service);
}

/** Whether the Deployment's template is the one for this spec and model. */
export function isCurrent(observed: Observed, resolution: Resolution): boolean {
  const { deployment, service } = observed;
  const { model } = resolution;
  if (deployment === undefined || model === undefined) return false;
  return deployment.metadata.annotations?.[INPUTS_ANNOTATION] === templateInputs(service, model);
}

export function plan(observed: Observed, settings: DeploymentSettings): Plan {
  const { service, finetune, network } = observed;
  const resolution = resolveModel(service, finetune);
  return {
    resolution,
    network: planNetwork(service, network),
    deployment: planDeployment(observed, resolution, settings),
  };
}

function planNetwork(service: SparseInferenceService, live: Service | undefined): Service | undefined {
  if (isForeign(live, service)) return undefined;
  const desired = buildService(service);
  if (live === undefined) return desired;
  // A further label in the selector would leave the Service without pods, so here more is not as good.
  const same = covers(live, desired) && equalJson(live.spec?.selector, desired.spec?.selector);
  return same ? undefined : onlyOnto(live, desired);
}

/** The uid keeps an update from touching another object that has taken the name meanwhile. */
function onlyOnto<T extends KubeObject>(live: KubeObject, desired: T): T {
  return { ...desired, metadata: defined({ ...desired.metadata, uid: live.metadata.uid }) };
}

function planDeployment(
  observed: Observed,
  resolution: Resolution,
  settings: DeploymentSettings,
): Deployment | undefined {
  const { service, deployment } = observed;
  if (isForeign(deployment, service)) return undefined;
  const replicas = wantedReplicas(service, resolution);
  if (resolution.model !== undefined && !isCurrent(observed, resolution)) {
    const built = buildDeployment(service, resolution.model, settings);
    return deployment === undefined ? built : onlyOnto(deployment, built);
  }
  if (deployment === undefined || deployment.spec?.replicas === replicas) return undefined;
  return scaledDeployment(deployment, replicas);
}
