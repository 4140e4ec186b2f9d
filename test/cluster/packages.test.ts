import { describe, expect, it } from 'vitest';
import { missingFrom } from './packages';

describe('missingFrom', () => {
  it('misses what dpkg does not know and what is only configured', () => {
    const lines = 'runc installed\nnftables config-files\n';
    expect(missingFrom(lines, ['runc', 'nftables', 'buildah'])).toEqual(['nftables', 'buildah']);
  });
});
