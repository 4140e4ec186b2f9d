import fc from 'fast-check';
import { expect, test } from 'vitest';
import { childName, serverDeploymentName, serviceName, trainJobName } from './names';

test('short names keep their parent readable', () => {
  expect(trainJobName('clothes')).toBe('clothes-train');
  expect(serverDeploymentName('clothes')).toBe('clothes-server');
  expect(serviceName('clothes')).toBe('clothes');
});

test('the longest name that the schema allows is never cut', () => {
  const name = 'a'.repeat(52);
  expect(serverDeploymentName(name)).toBe(`${name}-server`);
});

test('longer ones are cut and told apart by a hash', () => {
  const one = childName(`${'a'.repeat(60)}1`, '-train');
  const two = childName(`${'a'.repeat(60)}2`, '-train');
  expect(one).toMatch(/^a+-[0-9a-f]{8}-train$/);
  expect(one).not.toBe(two);
  expect(one).toBe(childName(`${'a'.repeat(60)}1`, '-train'));
});

test('property: every child is a DNS label of at most 63 characters', () => {
  const parent = fc.stringMatching(/^[a-z]([-a-z0-9]{0,250}[a-z0-9])?$/);
  fc.assert(
    fc.property(parent, fc.constantFrom('', '-train', '-server'), (name, suffix) => {
      const child = childName(name, suffix);
      expect(child.length).toBeLessThanOrEqual(63);
      expect(child).toMatch(/^[a-z]([-a-z0-9]*[a-z0-9])?$/);
    }),
  );
});
