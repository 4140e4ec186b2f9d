/** Volume claims behind `pvc://CLAIM/PATH` URIs. `file:///PATH` lies inside the image and needs none. */

/** Folder under which every claim is mounted, each by its own name: pvc://data/a/b is /mnt/pvc/data/a/b. */
export const MOUNT_ROOT = '/mnt/pvc';

export type ClaimUse = { uri: string | undefined; writes?: boolean };

export type ClaimMount = { claim: string; readOnly: boolean };

export type ClaimVolume = { name: string; persistentVolumeClaim: { claimName: string; readOnly: boolean } };
export type ClaimVolumeMount = { name: string; mountPath: string; readOnly: boolean };

/** The claim of a pvc URI; undefined for any other. */
export function claimOf(uri: string): string | undefined {
  return /^pvc:\/\/([^/]+)\/./.exec(uri)?.[1];
}

/** Path of the URI in one of our pods. */
export function mountedPath(uri: string): string {
  return uri.replace(/^pvc:\/\//, `${MOUNT_ROOT}/`).replace(/^file:\/\//, '');
}

/** The text with mount paths written as the URIs in the manifest: /mnt/pvc/data/a is pvc://data/a. */
export function withUris(text: string): string {
  return text.replaceAll(`${MOUNT_ROOT}/`, 'pvc://');
}

/** Each claim once, sorted by name; read-only unless one of its uses writes. */
export function claimMounts(uses: readonly ClaimUse[]): ClaimMount[] {
  const writable = new Map<string, boolean>();
  for (const { uri, writes = false } of uses) {
    const claim = uri === undefined ? undefined : claimOf(uri);
    if (claim !== undefined) writable.set(claim, writes || (writable.get(claim) ?? false));
  }
  return [...writable]
    .map(([claim, writes]) => ({ claim, readOnly: !writes }))
    .sort((a, b) => (a.claim < b.claim ? -1 : 1));
}

/**
 * Volumes and mounts for the claims. A claim's name may not be valid as a volume's name (dots, length), so volumes are
 * numbered.
 */
export function claimVolumes(mounts: readonly ClaimMount[]): {
  volumes: ClaimVolume[];
  volumeMounts: ClaimVolumeMount[];
} {
  return {
    volumes: mounts.map(({ claim, readOnly }, index) => ({
      name: `claim-${index}`,
      persistentVolumeClaim: { claimName: claim, readOnly },
    })),
    volumeMounts: mounts.map(({ claim, readOnly }, index) => ({
      name: `claim-${index}`,
      mountPath: `${MOUNT_ROOT}/${claim}`,
      readOnly,
    })),
  };
}
