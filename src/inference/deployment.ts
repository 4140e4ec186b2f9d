import { createHash } from 'node:crypto';
import type { ServedModel, SparseInferenceService } from '../api/types';
import { defined } from '../api/defined';
import { serverDeploymentName, serverLabels } from '../kube/names';
import { ownerReference } from '../kube/owner';
import { stableStringify } from '../kube/patch';
import type { Deployment } from '../kube/resources';
import { mountedPath } from '../workload/claims';
import { workloadPod, type PodDefaults } from '../workload/pod';
import { reportUrl } from '../workload/report-url';
import { SERVER_PORT } from './service';

export type DeploymentSettings = {
  /** Server image when the spec names none. */
  image: string;
  /** Base URL of the report endpoint. */
  reportsUrl: string;
  podDefaults: PodDefaults;
};

export const SERVER_CONTAINER = 'server';

/** Digest of what a template was made from; while it stays the same, the template is left as it is. */
export const INPUTS_ANNOTATION = 'sparsedm.io/template-inputs';

/** Time to finish the requests that were accepted. */
const GRACE_SECONDS = 60;

/**
 * Digest of the parts of the spec and of the model that the template depends on. It leaves out everything that comes
 * with the operator itself (default image, report URL, the template's form), so that its upgrade restarts no pod.
 */
export function templateInputs({ spec }: SparseInferenceService, model: ServedModel): string {
  const { uri, finetune, sha256 } = model;
  // The digest of a model given by URI is only what its server reported.
  const inputs = [uri, finetune === undefined ? null : sha256, spec.engine ?? null, spec.server ?? null];
  return createHash('sha256').update(stableStringify(inputs)).digest('hex').slice(0, 16);
}

export function buildDeployment(
  service: SparseInferenceService,
  model: ServedModel,
  settings: DeploymentSettings,
): Deployment {
  const { name, namespace = '' } = service.metadata;
  const labels = serverLabels(name);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: serverDeploymentName(name),
      namespace,
      labels,
      annotations: { [INPUTS_ANNOTATION]: templateInputs(service, model) },
      ownerReferences: [ownerReference(service)],
    },
    spec: {
      replicas: service.spec.replicas ?? 1,
      revisionHistoryLimit: 2,
      progressDeadlineSeconds: 600,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      selector: { matchLabels: labels },
      template: workloadPod({
        settings: service.spec.server,
        defaults: settings.podDefaults,
        labels,
        container: {
          name: SERVER_CONTAINER,
          command: ['sparsedm', 'serve'],
          ports: [{ name: 'http', containerPort: SERVER_PORT, protocol: 'TCP' }],
          ...probes(),
        },
        image: settings.image,
        env: environment(service, model, settings),
        claims: [{ uri: model.uri }],
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: GRACE_SECONDS,
      }),
    },
  };
}

function environment(
  { metadata, spec }: SparseInferenceService,
  model: ServedModel,
  settings: DeploymentSettings,
): Record<string, string> {
  const { name, namespace = '' } = metadata;
  return {
    SPARSEDM_MODEL: mountedPath(model.uri ?? ''),
    SPARSEDM_MODEL_NAME: name,
    ...(model.finetune === undefined || model.sha256 === undefined
      ? {}
      : { SPARSEDM_MODEL_SHA256: model.sha256 }),
    SPARSEDM_ENGINE: JSON.stringify(spec.engine ?? {}),
    SPARSEDM_REPORT_URL: reportUrl(settings.reportsUrl, 'services', namespace, name),
  };
}

/** Start-up gets 10 minutes, for a large model is loaded, checked and measured first. */
function probes() {
  const get = (path: string) => ({ httpGet: { path, port: 'http' } });
  return {
    startupProbe: { ...get('/v2/health/live'), periodSeconds: 2, failureThreshold: 300, timeoutSeconds: 2 },
    readinessProbe: { ...get('/v2/health/ready'), periodSeconds: 2, failureThreshold: 2, timeoutSeconds: 2 },
    livenessProbe: { ...get('/v2/health/live'), periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 },
  };
}

/** The Deployment as it is with another number of replicas: its template is handed back untouched. */
export function scaledDeployment(live: Deployment, replicas: number): Deployment {
  const { name, namespace, uid, labels, annotations, ownerReferences } = live.metadata;
  const inputs = annotations?.[INPUTS_ANNOTATION];
  return {
    ...defined({ spec: live.spec && { ...live.spec, replicas } }),
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: defined({
      name,
      namespace,
      uid,
      labels,
      annotations: inputs === undefined ? undefined : { [INPUTS_ANNOTATION]: inputs },
      ownerReferences,
    }),
  };
}
