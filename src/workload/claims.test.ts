import { describe, expect, it } from 'vitest';
import { claimMounts, claimOf, claimVolumes, mountedPath } from './claims';

describe('claims of URIs', () => {
  it.each([
    ['pvc://data/a/b', 'data', '/mnt/pvc/data/a/b'],
    ['pvc://my.claim-1/x', 'my.claim-1', '/mnt/pvc/my.claim-1/x'],
    ['file:///opt/x.safetensors', undefined, '/opt/x.safetensors'],
  ])('reads %s', (uri, wantClaim, wantPath) => {
    expect(claimOf(uri)).toBe(wantClaim);
    expect(mountedPath(uri)).toBe(wantPath);
  });

  it('knows no claim without a path', () => {
    expect(claimOf('pvc://data')).toBeUndefined();
    expect(claimOf('pvc://data/')).toBeUndefined();
  });

  it('mounts each claim once, sorted, and writable where one use writes', () => {
    const mounts = claimMounts([
      { uri: 'pvc://out/a', writes: true },
      { uri: 'pvc://data/x' },
      { uri: 'pvc://out/weights' },
      { uri: 'file:///opt/y' },
      { uri: undefined },
    ]);
    expect(mounts).toEqual([
      { claim: 'data', readOnly: true },
      { claim: 'out', readOnly: false },
    ]);
    expect(claimVolumes(mounts)).toEqual({
      volumes: [
        { name: 'claim-0', persistentVolumeClaim: { claimName: 'data', readOnly: true } },
        { name: 'claim-1', persistentVolumeClaim: { claimName: 'out', readOnly: false } },
      ],
      volumeMounts: [
        { name: 'claim-0', mountPath: '/mnt/pvc/data', readOnly: true },
        { name: 'claim-1', mountPath: '/mnt/pvc/out', readOnly: false },
      ],
    });
  });
});
