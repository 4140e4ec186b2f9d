/** Watches the contender's objects as any client could, notes when each change arrives, and runs the Job controller. */
import { setTimeout as delay } from 'node:timers/promises';
import { sparseFinetunes, type SparseFinetune } from '../../src/api/types';
import { isTrue } from '../../src/kube/conditions';
import { labels } from '../../src/kube/names';
import { jobs, pods } from '../../src/kube/resources';
import { ApiError } from '../../src/runtime/errors';
import type { Transport, WatchEvent } from '../../src/runtime/http/transport';
import { collectionPath, type KubeObject, type Resource } from '../../src/runtime/objects';
import { createJobController } from './job-controller';
import { namespace, nodeNames } from './world';

/** Times are milliseconds of performance.now(), by the name of the SparseFinetune. */
export class Arrivals {
  readonly created = new Map<string, number>();
  readonly job = new Map<string, number>();
  readonly finished = new Map<string, number>();
  /** Names of runs that ended without success. */
  readonly failed = new Set<string>();

  takeFinetune({ type, object }: WatchEvent, at: number): void {
    const { name } = object.metadata;
    if (type === 'ADDED') this.created.set(name, at);
    if (type !== 'ADDED' && type !== 'MODIFIED') return;
    const { status } = object as SparseFinetune;
    if (this.finished.has(name) || !isTrue(status?.conditions, 'Finished')) return;
    this.finished.set(name, at);
    if (status?.phase !== 'Succeeded') this.failed.add(name);
  }

  takeJob({ type, object }: WatchEvent, at: number): void {
    const name = object.metadata.labels?.[labels.finetune];
    if (type === 'ADDED' && name !== undefined) this.job.set(name, at);
  }

  /** Milliseconds from each run's arrival to its Job's. */
  untilJob(): number[] {
    return [...this.created].flatMap(([name, at]) => {
      const job = this.job.get(name);
      return job === undefined ? [] : [job - at];
    });
  }
}

type Take = (event: WatchEvent, at: number) => void;

export type Observer = {
  arrivals: Arrivals;
  /** Throws when a watch or the Job controller has failed. */
  check(): void;
  stop(): Promise<void>;
};

const hourSeconds = 3600;

export async function observe(transport: Transport): Promise<Observer> {
  const arrivals = new Arrivals();
  const stopping = new AbortController();
  let failure: unknown;

  /** Follows the resource for good: when the server ends a watch, the next one resumes there. */
  async function follow(resource: Resource, since: string | undefined, take: Take) {
    let version = since;
    const watchOnce = async () => {
      const stream = transport.watch({
        path: collectionPath(resource, namespace),
        query: { resourceVersion: version, allowWatchBookmarks: true, timeoutSeconds: hourSeconds },
        idleMs: 180_000,
        signal: stopping.signal,
      });
      for await (const events of stream) {
        const at = performance.now();
        for (const event of events) take(event, at);
        version = events.at(-1)?.object.metadata.resourceVersion;
      }
    };
    while (!stopping.signal.aborted) {
      try {
        await watchOnce();
      } catch (error) {
        // A definition that was just installed may not be served yet.
        const waitSeconds = error instanceof ApiError ? error.retryAfterSeconds : undefined;
        if (waitSeconds === undefined) throw error;
        await delay(waitSeconds * 1000);
      }
    }
  }

  async function versionOf(resource: Resource): Promise<string> {
    const list = await transport.request<{ metadata: { resourceVersion: string }; items: KubeObject[] }>({
      method: 'GET',
      path: collectionPath(resource, namespace),
      query: { limit: 1 },
    });
    return list.metadata.resourceVersion;
  }

  const controller = createJobController(transport, nodeNames);
  const [finetuneVersion, jobVersion, podVersion] = await Promise.all(
    [sparseFinetunes, jobs, pods].map(versionOf),
  );
  const following = Promise.all([
    follow(sparseFinetunes, finetuneVersion, (event, at) => arrivals.takeFinetune(event, at)),
    follow(jobs, jobVersion, (event, at) => {
      arrivals.takeJob(event, at);
      controller.takeJob(event);
    }),
    follow(pods, podVersion, (event) => controller.takePod(event)),
  ]).catch((error: unknown) => (failure = error));
  return {
    arrivals,
    check() {
      controller.check();
      if (failure !== undefined) throw new Error('the bench lost sight of the cluster', { cause: failure });
    },
    async stop() {
      stopping.abort();
      await following;
    },
  };
}
