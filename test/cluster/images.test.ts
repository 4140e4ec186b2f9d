import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { canonicalName, scratchImage } from './images';
import { tar } from './tar';

describe('canonicalName', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox:latest'],
    ['sparsedm/trainer:0.1.0', 'docker.io/sparsedm/trainer:0.1.0'],
    ['sparsedm.io/pause:1', 'sparsedm.io/pause:1'],
    ['localhost/a', 'localhost/a:latest'],
    ['host:5000/a/b', 'host:5000/a/b:latest'],
    ['docker.io/a/b@sha256:00', 'docker.io/a/b@sha256:00'],
  ])('%s is %s', (name, want) => {
    expect(canonicalName(name)).toBe(want);
  });
});

describe('tar', () => {
  const list = (archive: Buffer) => execFileSync('tar', ['-tvf', '-'], { input: archive }).toString();

  it('is what tar reads', () => {
    const archive = tar([
      { name: 'a', content: Buffer.from('x'.repeat(513)), mode: 0o755 },
      { name: 'b', content: Buffer.alloc(0) },
    ]);
    expect(list(archive)).toMatch(/^-rwxr-xr-x .* 513 .* a\n-rw-r--r-- .* 0 .* b\n$/);
  });

  it('packs an image the same way each time, so that its digest stays', () => {
    const files = [{ name: 'pause', content: Buffer.from('program') }];
    const image = scratchImage('sparsedm.io/x:1', files, { entrypoint: ['/pause'] });
    expect(scratchImage('sparsedm.io/x:1', files, { entrypoint: ['/pause'] }).equals(image)).toBe(true);
    expect(list(image)).toContain('manifest.json');
  });
});
