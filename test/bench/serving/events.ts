/** Simulated time: what is due, in order. */
type Event = { at: number; order: number; run: () => void };

/** Events of the same millisecond run in the order in which they were added. */
export class Timeline {
  now = 0;
  readonly #heap: Event[] = [];
  #order = 0;

  at(time: number, run: () => void): void {
    const heap = this.#heap;
    let place = heap.push({ at: Math.max(time, this.now), order: this.#order++, run }) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (!isBefore(heap[place]!, heap[above]!)) return;
      [heap[place], heap[above]] = [heap[above]!, heap[place]!];
      place = above;
    }
  }

  /** Runs everything that is due up to `end`, and what that adds. */
  runUntil(end: number): void {
    while (this.#heap.length > 0 && this.#heap[0]!.at <= end) {
      const event = this.#take();
      this.now = event.at;
      event.run();
    }
    this.now = end;
  }

  #take(): Event {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      this.#sink();
    }
    return first;
  }

  #sink(): void {
    const heap = this.#heap;
    for (let place = 0; ;) {
      const left = 2 * place + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const least = right < heap.length && isBefore(heap[right]!, heap[left]!) ? right : left;
      if (!isBefore(heap[least]!, heap[place]!)) return;
      [heap[place], heap[least]] = [heap[least]!, heap[place]!];
      place = least;
    }
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
