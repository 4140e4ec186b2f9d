import { describe, expect, it } from 'vitest';
import { cgroupHierarchies, mountsUnder } from './host';

const mount = (point: string, type = 'tmpfs') => ({ point, type, options: 'rw' });

describe('mountsUnder', () => {
  it('gives the innermost first and nothing beside the folder', () => {
    const all = [mount('/s'), mount('/s/a'), mount('/s/a/b'), mount('/sub'), mount('/')];
    expect(mountsUnder(all, ['/s'])).toEqual(['/s/a/b', '/s/a', '/s']);
  });
});

describe('cgroupHierarchies', () => {
  it('finds those of both versions', () => {
    const all = [mount('/sys/fs/cgroup'), mount('/sys/fs/cgroup/cpu', 'cgroup'), mount('/u', 'cgroup2')];
    expect(cgroupHierarchies(all)).toEqual(['/sys/fs/cgroup/cpu', '/u']);
  });
});
