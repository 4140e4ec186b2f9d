import { expect, test } from 'vitest';
import type { KubeObject } from '../runtime/objects';
import { controllerOf, isOwnedBy, ownerReference } from './owner';

const owner: KubeObject = {
  apiVersion: 'sparsedm.io/v1alpha1',
  kind: 'SparseFinetune',
  metadata: { name: 'a', uid: 'u1' },
};
const child = (...references: KubeObject['metadata']['ownerReferences'] & object): KubeObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'a-train', ownerReferences: references },
});

test('an owner controls its child by uid', () => {
  const reference = ownerReference(owner);
  expect(reference).toEqual({
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseFinetune',
    name: 'a',
    uid: 'u1',
    controller: true,
    blockOwnerDeletion: true,
  });
  expect(isOwnedBy(child(reference), owner)).toBe(true);
});

test.each([
  ['an owner of the same name but another uid', child({ ...ownerReference(owner), uid: 'u2' })],
  ['an owner that does not control', child({ ...ownerReference(owner), controller: false })],
  ['no owner', child()],
])('%s does not count', (_, object) => {
  expect(isOwnedBy(object, owner)).toBe(false);
});

test('the controller is found among other owners', () => {
  const other = { apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u9' };
  expect(controllerOf(child(other, ownerReference(owner)))?.uid).toBe('u1');
});

test('an object that was never stored can own nothing', () => {
  expect(() => ownerReference({ ...owner, metadata: { name: 'a' } })).toThrow('SparseFinetune a has no uid');
  expect(isOwnedBy(child(), { ...owner, metadata: { name: 'a' } })).toBe(false);
});
