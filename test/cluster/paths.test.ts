import { homedir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { cacheDir, clusterDir } from './paths';

describe('cacheDir', () => {
  it.each([
    ['SPARSEDM_CACHE first', { SPARSEDM_CACHE: '/a', XDG_CACHE_HOME: '/b' }, '/a'],
    ['XDG_CACHE_HOME next', { XDG_CACHE_HOME: '/b' }, '/b/sparsedm'],
    ['the home folder last', { XDG_CACHE_HOME: '' }, `${homedir()}/.cache/sparsedm`],
  ])('takes %s', (_, env, want) => {
    expect(cacheDir(env)).toBe(want);
  });
});

describe('clusterDir', () => {
  it('lies in the cache unless named', () => {
    expect(clusterDir({ SPARSEDM_CACHE: '/a' })).toBe('/a/cluster');
    expect(clusterDir({ SPARSEDM_CACHE: '/a', SPARSEDM_CLUSTER_DIR: '/c' })).toBe('/c');
  });
});
