import type { PodSettings, Sources } from '../api/types';
import { reportAudience } from '../kube/names';
import type { PodTemplate } from '../kube/resources';
import { defined } from '../runtime/defined';
import { claimMounts, claimVolumes, MOUNT_ROOT, type ClaimUse } from './claims';
import { cacheClaims, sourcesEnvironment, sourcesVolumes } from './sources';

type PodSpec = NonNullable<PodTemplate['spec']>;
type Container = PodSpec['containers'][number];

/** UID and GID of the user in both images; files on volumes belong to its group. */
const USER = 10001;

/** Settings of every training and serving pod, from the operator's flags. */
export type PodDefaults = Readonly<{
  /** Names of Secrets in the pod's namespace, in addition to those of the spec. */
  imagePullSecrets: readonly string[];
  securityContext: Readonly<NonNullable<PodSpec['securityContext']>>;
}>;

export const POD_DEFAULTS: PodDefaults = {
  imagePullSecrets: [],
  securityContext: {
    runAsNonRoot: true,
    runAsUser: USER,
    runAsGroup: USER,
    fsGroup: USER,
    fsGroupChangePolicy: 'OnRootMismatch',
    seccompProfile: { type: 'RuntimeDefault' },
  },
};

export const TOKEN_FOLDER = '/var/run/secrets/sparsedm.io';

export type WorkloadPod = {
  settings: PodSettings | undefined;
  defaults: PodDefaults;
  labels: Record<string, string>;
  container: Pick<
    Container,
    'name' | 'command' | 'ports' | 'readinessProbe' | 'livenessProbe' | 'startupProbe'
  >;
  /** Image when the settings name none. */
  image: string;
  env: Record<string, string>;
  claims: readonly ClaimUse[];
  /** How the pod fetches what lies outside the cluster. */
  sources?: Sources | undefined;
  topologySpreadConstraints?: PodSpec['topologySpreadConstraints'];
  restartPolicy: 'Never' | 'Always';
  terminationGracePeriodSeconds: number;
  /** Mount it although the pod may have a single GPU. */
  sharedMemory?: boolean;
};

/**
 * A pod that passes the restricted pod security standard: no API token, no privileges, a read-only root file system
 * with an emptyDir at /tmp, shared memory for several GPUs, and the claims that its URIs name.
 */
export function workloadPod(pod: WorkloadPod): PodTemplate {
  const { settings = {} } = pod;
  const claims = claimVolumes(claimMounts([...pod.claims, ...cacheClaims(pod.sources)]));
  const sources = sourcesVolumes(pod.sources);
  const shared = pod.sharedMemory === true || hasSeveralGpus(settings);
  return {
    metadata: {
      labels: { ...settings.podLabels, ...pod.labels },
      ...defined({ annotations: settings.podAnnotations }),
    },
    spec: {
      ...scheduling(settings),
      ...defined({ topologySpreadConstraints: pod.topologySpreadConstraints }),
      ...pullSecrets(pod),
      restartPolicy: pod.restartPolicy,
      terminationGracePeriodSeconds: pod.terminationGracePeriodSeconds,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { ...pod.defaults.securityContext, ...settings.securityContext },
      containers: [
        {
          ...pod.container,
          image: settings.image ?? pod.image,
          ...defined({ imagePullPolicy: settings.imagePullPolicy }),
          env: environment(pod),
          ...defined({ envFrom: settings.envFrom }),
          ...resources(settings),
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          volumeMounts: [
            { name: 'tmp', mountPath: '/tmp' },
            { name: 'token', mountPath: TOKEN_FOLDER, readOnly: true },
            ...(shared ? [{ name: 'shm', mountPath: '/dev/shm' }] : []),
            ...sources.volumeMounts,
            ...claims.volumeMounts,
            ...(settings.volumeMounts ?? []),
          ],
        },
      ],
      volumes: [
        { name: 'tmp', emptyDir: {} },
        tokenVolume(),
        ...(shared ? [{ name: 'shm', emptyDir: { medium: 'Memory' } }] : []),
        ...sources.volumes,
        ...claims.volumes,
        ...(settings.volumes ?? []),
      ],
    },
  };
}

function tokenVolume() {
  const token = { audience: reportAudience, expirationSeconds: 3600, path: 'token' };
  return { name: 'token', projected: { sources: [{ serviceAccountToken: token }] } };
}

/**
 * Several GPUs need /dev/shm: their processes communicate through shared memory (NCCL), and a container has only 64 MiB
 * of it unless more is mounted.
 */
function hasSeveralGpus({ resources: wanted }: PodSettings): boolean {
  const quantities = Object.entries({ ...wanted?.requests, ...wanted?.limits });
  return quantities.some(([name, count]) => name.endsWith('/gpu') && Number(count) > 1);
}

function environment({ env, settings = {}, sources }: WorkloadPod): NonNullable<Container['env']> {
  const own = {
    ...env,
    ...sourcesEnvironment(sources),
    SPARSEDM_MOUNTS: MOUNT_ROOT,
    SPARSEDM_TOKEN_FILE: `${TOKEN_FOLDER}/token`,
    HOME: '/tmp',
    TORCHINDUCTOR_CACHE_DIR: '/tmp/torchinductor',
  };
  return [...Object.entries(own).map(([name, value]) => ({ name, value })), ...(settings.env ?? [])];
}

type Quantities = Record<string, string | number>;

function resources({ resources: wanted }: PodSettings): Pick<Container, 'resources'> {
  if (wanted === undefined) return {};
  return {
    resources: defined({
      requests: wanted.requests && inText(wanted.requests),
      limits: wanted.limits && inText(wanted.limits),
    }),
  };
}

function inText(quantities: Quantities): Record<string, string> {
  return Object.fromEntries(Object.entries(quantities).map(([name, value]) => [name, String(value)]));
}

/** Secrets of the spec come first; each is named once, since the API server refuses duplicate names. */
function pullSecrets({ settings, defaults }: WorkloadPod): Pick<PodSpec, 'imagePullSecrets'> {
  const own = settings?.imagePullSecrets ?? [];
  const names = new Set([...own.map(({ name }) => name), ...defaults.imagePullSecrets]);
  return names.size === 0 ? {} : { imagePullSecrets: [...names].map((name) => ({ name })) };
}

function scheduling(settings: PodSettings): Partial<PodSpec> {
  const { nodeSelector, tolerations, affinity } = settings;
  const { serviceAccountName, priorityClassName, runtimeClassName, schedulerName } = settings;
  return defined({
    nodeSelector,
    tolerations,
    affinity,
    serviceAccountName,
    priorityClassName,
    runtimeClassName,
    schedulerName,
  });
}
