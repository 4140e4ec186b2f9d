/**
 * Simulates scheduler and kubelet, without nodes: each pod runs after a delay, and succeeds after another one with a
 * trainer's termination message. The Job controller is real.
 */
import { labels } from '../../src/kube/names';
import type { Pod } from '../../src/kube/resources';
import type { Store } from '../../src/runtime/cache/store';
import type { Reconciler } from '../../src/runtime/controller';
import type { ApiServer } from '../integration/api-server';
import { endPod, runPod } from '../integration/stand-ins';
import type { Random } from './random';

export type KubeletOptions = {
  server: Pick<ApiServer, 'client' | 'namespace'>;
  pods: Store<Pod>;
  random: Random;
  /** Upper bounds of the delay before a pod runs, and of its run; each pod draws its own. */
  waitMs: number;
  runMs: number;
  /** The trainer's termination message, by the finetune's name. */
  lastWord(finetune: string): object;
};

export type Kubelet = Reconciler & {
  /** Pauses all changes until resumed. */
  pause(): void;
  resume(): void;
};

const pausedMs = 20;

export function createKubelet(options: KubeletOptions): Kubelet {
  const { server, pods, random } = options;
  /** When each pod runs and ends, by uid; performance.now(). */
  const plans = new Map<string, { runAt: number; runMs: number }>();
  let paused = false;

  function planOf(uid: string) {
    const known = plans.get(uid);
    if (known !== undefined) return known;
    const plan = {
      runAt: performance.now() + random.between(0, options.waitMs),
      runMs: random.between(0, options.runMs),
    };
    plans.set(uid, plan);
    return plan;
  }

  async function act(pod: Pod): Promise<number | undefined> {
    const plan = planOf(pod.metadata.uid ?? '');
    const rest = plan.runAt - performance.now();
    if (rest > 0) return rest;
    if (pod.status?.phase === 'Running') {
      await endPod(server, pod, 0, options.lastWord(pod.metadata.labels?.[labels.finetune] ?? ''));
      return undefined;
    }
    await runPod(server, pod);
    plan.runAt = performance.now() + plan.runMs;
    return plan.runMs;
  }

  return {
    async reconcile({ namespace, name }) {
      const pod = pods.get(namespace, name);
      const phase = pod?.status?.phase;
      if (pod === undefined || phase === 'Succeeded' || phase === 'Failed') return;
      const again = paused ? pausedMs : await act(pod);
      if (again !== undefined) return { requeueAfterMs: again };
    },
    pause: () => void (paused = true),
    resume: () => void (paused = false),
  };
}
