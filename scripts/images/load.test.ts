import { expect, test } from 'vitest';
import { destinationOf, engineFor } from './load';

test.each([
  ['nothing named', {}, { kind: 'embedded' }, 'buildah'],
  ['--kind', { kind: true }, { kind: 'kind', cluster: 'sparsedm' }, 'docker'],
  ["a kind cluster's context", { context: 'kind-work' }, { kind: 'kind', cluster: 'work' }, 'docker'],
  [
    'a registry',
    { context: 'prod', registry: 'ghcr.io/me' },
    { kind: 'registry', prefix: 'ghcr.io/me', tag: undefined },
    'docker',
  ],
] as const)('%s decides where images go and what builds them', (_, choice, want, engine) => {
  expect(destinationOf(choice)).toEqual(want);
  expect(engineFor(destinationOf(choice))).toBe(engine);
});

test('an engine whose images the destination cannot take is refused in a sentence', () => {
  expect(() => engineFor({ kind: 'embedded' }, 'docker')).toThrow(
    'The embedded cluster takes images that buildah built',
  );
  expect(() => engineFor({ kind: 'kind', cluster: 'a' }, 'buildah')).toThrow(
    'A kind cluster takes images that docker',
  );
  expect(engineFor({ kind: 'registry', prefix: 'ghcr.io/me' }, 'buildah')).toBe('buildah');
});
