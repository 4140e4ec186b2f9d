import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { chainIds, ownFolder, staleImages } from './embedded';

const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

test('the chain of one layer is its digest, and each further one hashes the chain below with its own', () => {
  const [a, b, c] = ['a', 'b', 'c'].map(sha256) as [string, string, string];
  const wantSecond = sha256(`${a} ${b}`);
  expect(chainIds([])).toEqual([]);
  expect(chainIds([a, b, c])).toEqual([a, wantSecond, sha256(`${wantSecond} ${c}`)]);
});

test.each([
  ['of the lowest layer', { Type: 'bind', Source: '/s/1/fs', Options: ['rw', 'rbind'] }, '/s/1/fs'],
  [
    'above others',
    {
      Type: 'overlay',
      Source: 'overlay',
      Options: ['index=off', 'workdir=/s/3/work', 'upperdir=/s/3/fs', 'lowerdir=/s/2/fs:/s/1/fs'],
    },
    '/s/3/fs',
  ],
])('the files of a snapshot %s go to its own folder', (_, mount, want) => {
  expect(ownFolder(JSON.stringify([mount]))).toBe(want);
});

test('images on another runtime go, with their second names; all others stay', () => {
  const list = [
    'REF TYPE DIGEST SIZE PLATFORMS LABELS',
    'docker.io/sparsedm/runtime:old t sha256:1 4.5 GiB linux/amd64 sparsedm.io/source=old',
    'docker.io/sparsedm/trainer:a t sha256:2 4.5 GiB linux/amd64 sparsedm.io/source=old',
    'docker.io/sparsedm/trainer:b t sha256:3 4.5 GiB linux/amd64 sparsedm.io/source=new',
    'docker.io/sparsedm/operator:c t sha256:4 0.2 GiB linux/amd64 sparsedm.io/source=buildah',
    'sha256:20 t sha256:2 4.5 GiB linux/amd64 io.cri-containerd.image=managed',
    'sha256:30 t sha256:3 4.5 GiB linux/amd64 io.cri-containerd.image=managed',
    '',
  ].join('\n');
  expect(staleImages(list, 'new')).toEqual([
    'docker.io/sparsedm/runtime:old',
    'docker.io/sparsedm/trainer:a',
    'sha256:20',
  ]);
});
