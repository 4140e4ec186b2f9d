/** The load: SparseFinetunes, created at a steady rate by a bounded number of workers. */
import { setTimeout as delay } from 'node:timers/promises';
import { sparseFinetunes } from '../../src/api/types';
import type { Transport } from '../../src/runtime/http/transport';
import { collectionPath } from '../../src/runtime/objects';
import { finetune } from '../integration/specs';
import { namespace } from './world';

export type LoadOptions = {
  objects: number;
  /** Objects each second. */
  rate: number;
  /** Concurrent creations. */
  parallel: number;
};

export async function createFinetune(transport: Transport, name: string): Promise<void> {
  await transport.request({
    method: 'POST',
    path: collectionPath(sparseFinetunes, namespace),
    body: finetune(name, namespace),
  });
}

/** Creates all; returns the seconds it took. A late worker does not wait, so the rate holds on average. */
export async function createLoad(
  transport: Transport,
  { objects, rate, parallel }: LoadOptions,
): Promise<number> {
  const started = performance.now();
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < objects; index = next++) {
      const early = started + (1000 * index) / rate - performance.now();
      if (early > 0) await delay(early);
      await createFinetune(transport, `run-${index}`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, objects) }, worker));
  return (performance.now() - started) / 1000;
}
