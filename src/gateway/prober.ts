/**
 * Asks pods that start whether they are ready, while requests wait for them. A kubelet looks every other second and its
 * word has to pass through the API server, which would make each wake a second or two longer than the pod's own start.
 */
import { request } from 'undici';
import { sleep, type Clock } from '../runtime/clock';
import type { Replica } from './route';

/** Time between two looks at a pod. */
export const PROBE_MS = 100;
/** Time for its answer. */
const PATIENCE_MS = 1_000;

export type Prober = {
  /** The pods that start: those that were ready before and aren't any more count as such too. */
  update(starting: readonly Replica[]): void;
  /** Asks as long as somebody waits. */
  begin(): void;
  /** Those of the pods that have said that they are ready. */
  readonly early: readonly Replica[];
  /** It was not ready after all. */
  forget(uid: string): void;
  close(): void;
};

export type ProberOptions = {
  clock: Clock;
  isAwaited: () => boolean;
  onReady: () => void;
  ask?: (origin: string) => Promise<boolean>;
};

export function createProber({ clock, isAwaited, onReady, ask = saysReady }: ProberOptions): Prober {
  let starting: readonly Replica[] = [];
  const ready = new Set<string>();
  let isRunning = false;
  let isClosed = false;

  const isStarting = (uid: string) => starting.some((replica) => replica.uid === uid);

  async function look(replica: Replica): Promise<void> {
    if (!(await ask(replica.origin)) || isClosed || !isStarting(replica.uid)) return;
    ready.add(replica.uid);
    onReady();
  }

  async function run(): Promise<void> {
    while (isAwaited() && !isClosed) {
      await Promise.all(starting.filter(({ uid }) => !ready.has(uid)).map(look));
      await sleep(clock, PROBE_MS);
    }
    isRunning = false;
  }

  return {
    update(next) {
      starting = next;
      for (const uid of ready) if (!isStarting(uid)) ready.delete(uid);
    },
    begin() {
      if (isRunning) return;
      isRunning = true;
      void run();
    },
    get early() {
      return starting.filter(({ uid }) => ready.has(uid));
    },
    forget: (uid) => void ready.delete(uid),
    close() {
      isClosed = true;
    },
  };
}

/** By the same path as the kubelet. */
async function saysReady(origin: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const { statusCode, body } = await request(`${origin}/v2/health/ready`, { signal });
    await body.dump();
    return statusCode === 200;
  } catch {
    return false;
  }
}
