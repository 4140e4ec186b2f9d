/**
 * A model of one serving pod: it starts, draws images in batches that take the same time whether full or not, refuses
 * what its queue does not hold, and drains before it ends. As images/sparsedm/src/sparsedm/serve/batcher.py does it.
 */
import type { Load } from '../../../src/autoscale/load';
import type { Timeline } from './events';

export type EngineModel = {
  batchSeconds: number;
  maxBatchSize: number;
  maxQueue: number;
  /** From the pod's creation to its first request. */
  startSeconds: number;
};

export type Request = { arrived: number; images: number; left: number };

export class Replica {
  /** When it began to serve; undefined before. */
  readyAt: number | undefined;
  leaving = false;
  /** When its last work ended; undefined while it runs. */
  ended: number | undefined;
  #queue: Request[] = [];
  #queued = 0;
  #drawing = false;
  #requests = 0;
  #requestMs = 0;
  #changedAt: number;
  #offered = 0;
  #refused = 0;

  constructor(
    readonly created: number,
    private readonly model: EngineModel,
    private readonly timeline: Timeline,
    private readonly onAnswer: (request: Request) => void,
  ) {
    this.#changedAt = created;
  }

  get ready(): boolean {
    return this.readyAt !== undefined && !this.leaving;
  }

  /** False when the queue has no room. */
  submit(request: Request): boolean {
    this.#offered += request.images;
    if (this.#queued + request.images > this.model.maxQueue) {
      this.#refused += request.images;
      return false;
    }
    this.#count(1);
    this.#queued += request.images;
    this.#queue.push(request);
    this.#draw();
    return true;
  }

  leave(): void {
    this.leaving = true;
    this.#endIfDone();
  }

  /** Requests in the replica times milliseconds, since its creation. */
  get requestMs(): number {
    return this.#requestMs + this.#requests * (this.timeline.now - this.#changedAt);
  }

  /** What it reports, given what it knew at its last report. */
  report(before: ReplicaMemory): { load: Load; memory: ReplicaMemory } {
    const { batchSeconds, maxBatchSize } = this.model;
    const memory = {
      at: this.timeline.now,
      requestMs: this.requestMs,
      offered: this.#offered,
      refused: this.#refused,
    };
    const passedMs = Math.max(1, memory.at - before.at);
    const queuedImages = this.#queued + memory.refused - before.refused;
    const imageSeconds = batchSeconds / maxBatchSize;
    return {
      memory,
      load: {
        requests: (memory.requestMs - before.requestMs) / passedMs,
        queuedImages,
        denoisingSeconds: queuedImages * imageSeconds,
        offeredLoad: ((memory.offered - before.offered) * imageSeconds * 1000) / passedMs,
      },
    };
  }

  #count(change: number): void {
    this.#requestMs = this.requestMs;
    this.#changedAt = this.timeline.now;
    this.#requests += change;
  }

  #draw(): void {
    if (this.#drawing || this.#queued === 0) return;
    this.#drawing = true;
    const batch = this.#take();
    this.timeline.at(this.timeline.now + this.model.batchSeconds * 1000, () => {
      this.#drawing = false;
      for (const { request, images } of batch) this.#drawn(request, images);
      this.#draw();
      this.#endIfDone();
    });
  }

  #take(): { request: Request; images: number }[] {
    const batch: { request: Request; images: number }[] = [];
    let room = Math.min(this.model.maxBatchSize, this.#queued);
    this.#queued -= room;
    while (room > 0) {
      const request = this.#queue[0]!;
      const images = Math.min(room, request.left);
      request.left -= images;
      room -= images;
      batch.push({ request, images });
      if (request.left === 0) this.#queue.shift();
    }
    return batch;
  }

  #drawn(request: Request, images: number): void {
    request.images -= images;
    if (request.images > 0) return;
    this.#count(-1);
    this.onAnswer(request);
  }

  #endIfDone(): void {
    if (this.leaving && !this.#drawing && this.#queued === 0) this.ended ??= this.timeline.now;
  }
}

export type ReplicaMemory = { at: number; requestMs: number; offered: number; refused: number };

export function newMemory(replica: Replica): ReplicaMemory {
  return { at: replica.readyAt ?? replica.created, requestMs: 0, offered: 0, refused: 0 };
}
