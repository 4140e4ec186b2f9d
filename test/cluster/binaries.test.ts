import { describe, expect, it } from 'vitest';
import { contentKey, elapsed, linkerFlags } from './binaries';

describe('contentKey', () => {
  const files = [{ name: 'go.mod', content: 'module x' }];
  const key = contentKey(files, 'go1.26');

  it.each([
    ['the content', [{ name: 'go.mod', content: 'module y' }], 'go1.26'],
    ['a name', [{ name: 'go.sum', content: 'module x' }], 'go1.26'],
    ['the toolchain', files, 'go1.27'],
    ['the number of files', [...files, { name: 'a.go', content: '' }], 'go1.26'],
  ])('changes with %s', (_, other, toolchain) => {
    expect(contentKey(other, toolchain)).not.toBe(key);
  });

  it('stays otherwise', () => {
    expect(contentKey([...files], 'go1.26')).toBe(key);
  });
});

describe('linkerFlags', () => {
  const goMod = 'require (\n\tk8s.io/kubernetes v1.36.3\n\thelm.sh/helm/v4 v4.3.1 // indirect\n)\n';

  it('stamps the versions where server and clients look for them', () => {
    const flags = linkerFlags(goMod);
    expect(flags).toContain('-X k8s.io/component-base/version.gitVersion=v1.36.3');
    expect(flags).toContain('-X k8s.io/client-go/pkg/version.gitMinor=36');
    expect(flags).toContain('.version=v4.3.1');
  });

  it('complains of a go.mod without Kubernetes', () => {
    expect(() => linkerFlags('module x\n')).toThrow('k8s.io/kubernetes');
  });
});

describe('elapsed', () => {
  it.each([
    [0, '0 s'],
    [59_400, '59 s'],
    [59_600, '1 min 0 s'],
    [125_000, '2 min 5 s'],
  ])('%s ms is %s', (ms, want) => {
    expect(elapsed(0, ms)).toBe(want);
  });
});
