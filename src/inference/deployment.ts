import { createHash } from 'node:crypto';
import type {
  PodSettings,
  QualityMonitor,
  ServedModel,
  SparseInferenceService,
  SparseInferenceServiceSpec,
} from '../api/types';
import { labels as names, revisionName, serverDeploymentName, serverLabels, serverPort } from '../kube/names';
import { ownerReference } from '../kube/owner';
import { stableStringify } from '../kube/patch';
import type { Deployment } from '../kube/resources';
import { reportUrl } from '../reports/address';
import { defined } from '../runtime/defined';
import { mountedPath } from '../workload/claims';
import { workloadPod, type PodDefaults } from '../workload/pod';
import { loadAddress, serviceReports } from './report';
import { serverBounds } from './server-gate';
import { spreadOf } from './spread';

export type DeploymentSettings = {
  /** Server image when the spec names none. */
  image: string;
  /** Base URL of the report endpoint. */
  reportsUrl: string;
  podDefaults: PodDefaults;
};

export const SERVER_CONTAINER = 'server';

/** Digest of the inputs of a template; while it stays the same, the template is left as it is. */
export const INPUTS_ANNOTATION = 'sparsedm.io/template-inputs';

/**
 * On a SparseInferenceService: another value makes the operator build the template again, with its present image, as
 * `kubectl rollout restart` does for a Deployment.
 */
export const RESTART_ANNOTATION = 'sparsedm.io/restarted-at';

/** Time for a server to start: a large model is loaded, checked and measured before the server is live. */
const START_SECONDS = 600;

/** Time for images to be pulled, volumes attached and a node added, on top of what a server takes to start. */
const PLACING_SECONDS = 300;

/** Time for which a terminating pod still accepts requests: until no Service rule leads to it. */
const DRAIN_DELAY_SECONDS = 10;

/** Default time for a terminating pod to finish the requests it has accepted. */
const GRACE_SECONDS = 300;

/** Part of the grace period that the server leaves unused, so that it ends by itself before the kubelet kills it. */
const GRACE_MARGIN_SECONDS = 5;

/** Time for which a new pod must be ready before it counts: by then the Service's rules lead to it. */
const MIN_READY_SECONDS = 5;

/** Adds a pod first, so that the number of serving pods never falls. */
export const SURGE = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } as const;

/** Ends all pods before their successors start. */
export const RECREATE = { type: 'Recreate' } as const;

/** Ends a pod before its successor starts, where there is no room for both at once. */
export const REPLACE = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } as const;

/**
 * Digest of the parts of the service and of the model that the template depends on. It leaves out everything that comes
 * with the operator itself (default image, report URL, the template's form), so that an operator upgrade restarts no
 * pod.
 */
export function templateInputs({ metadata, spec }: SparseInferenceService, model: ServedModel): string {
  const { uri } = model;
  const restarted = metadata.annotations?.[RESTART_ANNOTATION];
  const gate = serverBounds(spec.qualityGate, model);
  const expected = expectedDigest(model);
  const digest = model.finetune === undefined ? (expected ?? null) : expected;
  const inputs: unknown[] = [uri, digest, spec.engine ?? null, spec.server ?? null];
  if (restarted !== undefined) inputs.push(restarted);
  if (gate !== undefined) inputs.push({ gate });
  const qualityMonitor = sampling(spec);
  if (qualityMonitor !== undefined) inputs.push({ qualityMonitor });
  if (spec.sources !== undefined) inputs.push({ sources: spec.sources });
  return createHash('sha256').update(stableStringify(inputs)).digest('hex').slice(0, 16);
}

export function buildDeployment(
  service: SparseInferenceService,
  model: ServedModel,
  settings: DeploymentSettings,
  replicas = service.spec.replicas ?? 1,
): Deployment {
  const labels = serverLabels(service.metadata.name);
  const grace = graceSeconds(service);
  const inputs = templateInputs(service, model);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: deploymentMetadata(service, inputs),
    spec: {
      replicas,
      revisionHistoryLimit: 2,
      minReadySeconds: MIN_READY_SECONDS,
      progressDeadlineSeconds: deadlineSeconds(service),
      strategy: strategyOf(service),
      selector: { matchLabels: labels },
      template: workloadPod({
        settings: podSettings(service),
        defaults: settings.podDefaults,
        labels: { ...labels, [names.revision]: revisionName(service.metadata.name, inputs) },
        container: {
          name: SERVER_CONTAINER,
          command: ['sparsedm', 'serve'],
          ports: [{ name: 'http', containerPort: serverPort, protocol: 'TCP' }],
          ...probes(),
        },
        image: settings.image,
        env: environment(service, model, settings),
        claims: [{ uri: model.uri }],
        sources: service.spec.sources,
        topologySpreadConstraints: spreadOf(service),
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: grace,
      }),
    },
  };
}

export function deploymentMetadata(service: SparseInferenceService, inputs: string): Deployment['metadata'] {
  const { name, namespace = '' } = service.metadata;
  return {
    name: serverDeploymentName(name),
    namespace,
    labels: serverLabels(name),
    annotations: { [INPUTS_ANNOTATION]: inputs },
    ownerReferences: [ownerReference(service)],
  };
}

/** Time for the pods of a new version to be ready. A pod may have to wait for its predecessor's end before it starts. */
export function deadlineSeconds(service: SparseInferenceService): number {
  const { progressDeadlineSeconds } = service.spec.rollout ?? {};
  return progressDeadlineSeconds ?? graceSeconds(service) + PLACING_SECONDS + START_SECONDS;
}

/** The strategy by which the Deployment replaces pods, unless there is no room for another one. */
export function strategyOf({ spec }: SparseInferenceService): typeof SURGE | typeof RECREATE {
  return spec.rollout?.strategy === 'Recreate' ? RECREATE : SURGE;
}

function graceSeconds({ spec }: SparseInferenceService): number {
  return spec.server?.terminationGracePeriodSeconds ?? GRACE_SECONDS;
}

/** The template carries the time of the last restart, so that it differs where nothing else does. */
function podSettings({ metadata, spec }: SparseInferenceService): PodSettings | undefined {
  const restarted = metadata.annotations?.[RESTART_ANNOTATION];
  if (restarted === undefined) return spec.server;
  return {
    ...spec.server,
    podAnnotations: { ...spec.server?.podAnnotations, [RESTART_ANNOTATION]: restarted },
  };
}

function environment(
  service: SparseInferenceService,
  model: ServedModel,
  settings: DeploymentSettings,
): Record<string, string> {
  const bounds = serverBounds(service.spec.qualityGate, model);
  const monitor = sampling(service.spec);
  return {
    ...modelEnvironment(model),
    SPARSEDM_MODEL_NAME: service.metadata.name,
    SPARSEDM_ENGINE: JSON.stringify(service.spec.engine ?? {}),
    SPARSEDM_REPORT_URL: reportUrl(settings.reportsUrl, serviceReports.address, service.metadata),
    SPARSEDM_LOAD_URL: reportUrl(settings.reportsUrl, loadAddress, service.metadata),
    SPARSEDM_DRAIN_DELAY_SECONDS: String(DRAIN_DELAY_SECONDS),
    ...(bounds === undefined ? {} : { SPARSEDM_QUALITY_GATE: bounds }),
    ...(monitor === undefined ? {} : { SPARSEDM_QUALITY_MONITOR: JSON.stringify(monitor) }),
    SPARSEDM_GRACE_SECONDS: String(graceSeconds(service) - GRACE_MARGIN_SECONDS),
  };
}

/** That of a SparseFinetune's model, or the one that the spec names. Without either, what lies at the URI is served. */
export function expectedDigest({ finetune, pinned, sha256 }: ServedModel): string | undefined {
  return finetune === undefined && pinned !== true ? undefined : sha256;
}

function modelEnvironment(model: ServedModel): Record<string, string> {
  const digest = expectedDigest(model);
  return {
    SPARSEDM_MODEL: mountedPath(model.uri ?? ''),
    ...(digest === undefined ? {} : { SPARSEDM_MODEL_SHA256: digest }),
  };
}

/** The part of spec.qualityMonitor that servers follow; its bound is the operator's. */
export function sampling({ qualityMonitor }: SparseInferenceServiceSpec): QualityMonitor | undefined {
  return qualityMonitor && defined({ samplePercent: qualityMonitor.samplePercent });
}

/** Which of the models a Deployment's template serves. */
export function templateModel(
  deployment: Deployment,
  candidates: readonly (ServedModel | undefined)[],
): ServedModel | undefined {
  const server = serverOf(deployment);
  const valueOf = (name: string) => server?.env?.find((one) => one.name === name)?.value;
  return candidates.find((model) => {
    if (model?.uri === undefined) return false;
    const { SPARSEDM_MODEL: path, SPARSEDM_MODEL_SHA256: digest } = modelEnvironment(model);
    return path === valueOf('SPARSEDM_MODEL') && digest === valueOf('SPARSEDM_MODEL_SHA256');
  });
}

type Container = NonNullable<NonNullable<Deployment['spec']>['template']['spec']>['containers'][number];

export function serverOf({ spec }: Deployment): Container | undefined {
  return spec?.template.spec?.containers.find(({ name }) => name === SERVER_CONTAINER);
}

function probes() {
  const get = (path: string) => ({ httpGet: { path, port: 'http' } });
  return {
    startupProbe: {
      ...get('/v2/health/live'),
      periodSeconds: 2,
      failureThreshold: START_SECONDS / 2,
      timeoutSeconds: 2,
    },
    readinessProbe: { ...get('/v2/health/ready'), periodSeconds: 2, failureThreshold: 2, timeoutSeconds: 2 },
    livenessProbe: { ...get('/v2/health/live'), periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 },
  };
}
