import { expect, it } from 'vitest';
import { reportedObject, reportUrl } from './address';

const address = { objects: 'finetunes', topic: 'progress' };

it('is a URL that leads back to its object', () => {
  const url = reportUrl('http://operator.system.svc:8082', address, { namespace: 'ml', name: 'shirts' });
  expect(url).toBe('http://operator.system.svc:8082/v1/finetunes/ml/shirts/progress');
  expect(reportedObject(address, new URL(url).pathname)).toEqual({ namespace: 'ml', name: 'shirts' });
});

it.each([
  ['another kind', '/v1/services/ml/shirts/progress'],
  ['another topic', '/v1/finetunes/ml/shirts/engine'],
  ['another version', '/v2/finetunes/ml/shirts/progress'],
  ['no name', '/v1/finetunes/ml//progress'],
  ['no namespace', '/v1/finetunes//shirts/progress'],
  ['more parts', '/v1/finetunes/ml/shirts/progress/x'],
  ['nothing', '/'],
])('of %s names no object', (_, path) => {
  expect(reportedObject(address, path)).toBe(undefined);
});
