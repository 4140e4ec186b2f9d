import { describe, expect, test } from 'vitest';
import {
  collectionPath,
  compareResourceVersions,
  keyText,
  objectPath,
  parseKey,
  routeOf,
  type Resource,
} from './objects';

const jobs: Resource = { group: 'batch', version: 'v1', plural: 'jobs', kind: 'Job', namespaced: true };
const nodes: Resource = { group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false };

test.each([
  ['a namespaced collection', collectionPath(jobs, 'a'), '/apis/batch/v1/namespaces/a/jobs'],
  ['all namespaces', collectionPath(jobs), '/apis/batch/v1/jobs'],
  ['a cluster-scoped collection ignores the namespace', collectionPath(nodes, 'a'), '/api/v1/nodes'],
  ['one object', objectPath(jobs, { namespace: 'a', name: 'b' }), '/apis/batch/v1/namespaces/a/jobs/b'],
  ['a cluster-scoped object', objectPath(nodes, { namespace: '', name: 'n' }), '/api/v1/nodes/n'],
  ['a name that tries to leave', objectPath(nodes, { namespace: '', name: '../x' }), '/api/v1/nodes/..%2Fx'],
])('path of %s', (_, path, want) => {
  expect(path).toBe(want);
});

test.each([
  ['/apis/batch/v1/namespaces/ml/jobs', '/apis/batch/v1/namespaces/{namespace}/jobs'],
  ['/api/v1/namespaces/ml/pods/a', '/api/v1/namespaces/{namespace}/pods/{name}'],
  [
    '/apis/x.io/v1/namespaces/ml/things/a/status',
    '/apis/x.io/v1/namespaces/{namespace}/things/{name}/status',
  ],
  ['/apis/batch/v1/jobs', '/apis/batch/v1/jobs'],
  ['/api/v1/nodes/n', '/api/v1/nodes/{name}'],
  ['/api/v1/namespaces/ml', '/api/v1/namespaces/{name}'],
  ['/api/v1/namespaces', '/api/v1/namespaces'],
  ['/version', '/version'],
])('the route of %s leaves names out', (path, want) => {
  expect(routeOf(path)).toBe(want);
});

test.each([
  ['no name', jobs, { namespace: 'a', name: '' }],
  ['no namespace', jobs, { namespace: '', name: 'b' }],
])('refuses a path with %s', (_, resource, key) => {
  expect(() => objectPath(resource, key)).toThrow('incomplete key');
});

test('keys survive their text', () => {
  for (const key of [
    { namespace: 'a', name: 'b' },
    { namespace: '', name: 'system:node.x' },
  ]) {
    expect(parseKey(keyText(key))).toEqual(key);
  }
});

describe('compareResourceVersions', () => {
  test.each([
    ['9', '10', -1],
    ['10', '9', 1],
    ['10', '10', 0],
    ['99999999999999999998', '99999999999999999999', -1],
    ['007', '7', 0],
    ['0', '0', 0],
    ['abc', 'abc', 0],
    ['abc', 'abd', undefined],
    ['1', undefined, undefined],
  ])('%s against %s is %s', (a, b, want) => {
    const order = compareResourceVersions(a, b);
    expect(order === undefined ? undefined : Math.sign(order)).toBe(want);
  });
});
