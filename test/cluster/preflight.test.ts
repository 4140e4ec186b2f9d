import { describe, expect, it } from 'vitest';
import { conflict, diskProblem, goIsTooOld, portProblem } from './preflight';

describe('goIsTooOld', () => {
  it.each([
    ['go1.26.8', false],
    ['go1.27rc1', false],
    ['go2.0', false],
    ['go1.25.9', true],
    ['go1.9', true],
    ['devel', true],
  ])('%s: %s', (version, want) => {
    expect(goIsTooOld(version)).toBe(want);
  });
});

describe('conflict', () => {
  const wanted = { name: 'coredns', address: '10.244.0.1', port: 53 };
  it.each([
    ['the same address', '10.244.0.1', 53, true],
    ['every address', '0.0.0.0', 53, true],
    ['every address of version 6', '::', 53, true],
    ['another address', '127.0.0.53', 53, false],
    ['another port', '10.244.0.1', 54, false],
  ])('on %s', (_, address, port, want) => {
    expect(conflict(wanted, [{ address, port, inode: '1' }]) !== undefined).toBe(want);
  });
});

describe('sentences', () => {
  it('name the port, the process and the remedy', () => {
    const want = 'etcd needs port 12379 on 127.0.0.1, which process 7 (nc -l) has taken: end it first.';
    expect(portProblem({ name: 'etcd', address: '127.0.0.1', port: 12379 }, 7, 'nc -l')).toBe(want);
  });

  it('say how much disk is missing, and nothing when none is', () => {
    expect(diskProblem('/c', 3.21, 25)).toContain('/c has 3.2 GiB free and 25 GiB are needed');
    expect(diskProblem('/c', 25, 25)).toBeUndefined();
  });
});
