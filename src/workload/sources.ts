/** What lies outside the cluster is fetched by the pod itself; here is what it needs for that. */
import type { Sources, SourceStatus } from '../api/types';
import { count, lastItems, object, sha256, text, uri } from '../reports/fields';
import { defined } from '../runtime/defined';
import { MOUNT_ROOT, type ClaimUse } from './claims';

/** Variable that tells a pod how to fetch. It names folders and files, and holds nothing secret. */
export const SOURCES = 'SPARSEDM_SOURCES';

/** Folder with a numbered folder for each Secret. */
const SECRETS_ROOT = '/var/run/secrets/sources.sparsedm.io';
const TRUSTED_CA_FOLDER = '/etc/sparsedm/trusted-ca';
/** Folder of the claim that holds the files. */
const CACHE_FOLDER = 'sparsedm-sources';

type Volume = { name: string; secret?: { secretName: string }; configMap?: { name: string } };
type VolumeMount = { name: string; mountPath: string; readOnly: boolean };

/** What a pod reports of what it has fetched. */
export const sourcesRule = lastItems(
  8,
  object<SourceStatus>({ uri, sha256, revision: text(256), sizeBytes: count }, ['uri']),
);

/** The claim that keeps what is fetched. */
export function cacheClaims(sources: Sources | undefined): ClaimUse[] {
  const claim = sources?.cache?.claim;
  return claim === undefined ? [] : [{ uri: `pvc://${claim}/${CACHE_FOLDER}`, writes: true }];
}

export function sourcesEnvironment(sources: Sources | undefined): Record<string, string> {
  if (sources === undefined) return {};
  const { credentials = [], cache, trustedCA } = sources;
  const value = defined({
    credentials: credentials.map(({ prefix, secretName }, index) => ({
      prefix,
      secret: secretName,
      folder: `${SECRETS_ROOT}/${index}`,
    })),
    cache: cache && `${MOUNT_ROOT}/${cache.claim}/${CACHE_FOLDER}`,
    trustedCA: trustedCA && `${TRUSTED_CA_FOLDER}/${trustedCA.key ?? 'ca.crt'}`,
  });
  return { [SOURCES]: JSON.stringify(value) };
}

/**
 * Secrets are mounted and not variables, because variables show in each child process and can't be renewed while the
 * pod runs.
 */
export function sourcesVolumes(sources: Sources | undefined): {
  volumes: Volume[];
  volumeMounts: VolumeMount[];
} {
  const { credentials = [], trustedCA } = sources ?? {};
  const volumes: Volume[] = credentials.map(({ secretName }, index) => ({
    name: `source-${index}`,
    secret: { secretName },
  }));
  const volumeMounts = volumes.map(({ name }, index) => ({
    name,
    mountPath: `${SECRETS_ROOT}/${index}`,
    readOnly: true,
  }));
  if (trustedCA === undefined) return { volumes, volumeMounts };
  const name = 'trusted-ca';
  return {
    volumes: [...volumes, { name, configMap: { name: trustedCA.configMapName } }],
    volumeMounts: [...volumeMounts, { name, mountPath: TRUSTED_CA_FOLDER, readOnly: true }],
  };
}
