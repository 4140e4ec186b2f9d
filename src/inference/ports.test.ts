import { describe, expect, it } from 'vitest';
import { aService } from '../../test/support/inference';
import type { SparseInferenceService } from '../api/types';
import { ObjectStore } from '../runtime/cache/store';
import { createPorts, FIRST_PORT, LAST_PORT, PORT_INDEX, portOfService } from './ports';

function named(name: string, port?: number, created = '2026-01-01T00:00:00Z'): SparseInferenceService {
  const service = aService();
  const traffic = port === undefined ? undefined : { gatewayPort: port };
  return {
    ...service,
    metadata: { ...service.metadata, name, uid: `uid-${name}`, creationTimestamp: created },
    ...(traffic === undefined ? {} : { status: { traffic } }),
  };
}

function start(...services: SparseInferenceService[]) {
  const store = new ObjectStore<SparseInferenceService>({ [PORT_INDEX]: { index: portOfService }.index });
  let version = 1;
  const put = (service: SparseInferenceService) => {
    const metadata = { ...service.metadata, resourceVersion: String(version++) };
    store.applyEvent({ ...service, metadata });
  };
  services.forEach(put);
  return { ports: createPorts(store), put };
}

describe('the port of a service', () => {
  it('is the same from every operator', () => {
    const port = start().ports.of(named('a'))!;
    expect(port).toBeGreaterThanOrEqual(FIRST_PORT);
    expect(port).toBeLessThanOrEqual(LAST_PORT);
    expect(start().ports.of(named('a'))).toBe(port);
  });

  it('is kept from the status, whatever it would be otherwise', () => {
    expect(start(named('a', 21_234)).ports.of(named('a', 21_234))).toBe(21_234);
  });

  it('is another one where a service has it, in its status or just chosen', () => {
    const port = start().ports.of(named('a'))!;
    const next = port === LAST_PORT ? FIRST_PORT : port + 1;
    expect(start(named('b', port)).ports.of(named('a'))).toBe(next);
    const { ports, put } = start();
    put(named('c', next));
    expect(ports.of(named('a'))).toBe(port);
    const twin = start(named('x', port), named('y', next)).ports.of(named('a'))!;
    expect([port, next]).not.toContain(twin);
  });

  it('is never given twice before it shows in a status', () => {
    const { ports } = start();
    const all = Array.from({ length: 3000 }, (_, index) => ports.of(named(`s${index}`)));
    expect(new Set(all).size).toBe(3000);
    expect(all).not.toContain(undefined);
  });

  it('goes to the older of two that have the same', () => {
    const old = named('old', 22_222, '2026-01-01T00:00:00Z');
    const young = named('young', 22_222, '2026-01-02T00:00:00Z');
    const { ports } = start(old, young);
    expect(ports.of(young)).not.toBe(22_222);
    expect(ports.of(old)).toBe(22_222);
  });

  it('outside of the range is replaced', () => {
    expect(start().ports.of(named('a', 80))).toBe(start().ports.of(named('a')));
  });

  it('is free again once its service is gone', () => {
    const { ports } = start();
    const port = ports.of(named('a'))!;
    expect(ports.of(named('b', port))).not.toBe(port);
    ports.forget('ml/a');
    ports.forget('ml/b');
    expect(ports.of(named('b', port))).toBe(port);
  });

  it('is missing when all are taken', () => {
    const { ports } = start();
    for (let index = FIRST_PORT; index <= LAST_PORT; index++) ports.of(named(`s${index}`));
    expect(ports.of(named('late'))).toBeUndefined();
  });
});
