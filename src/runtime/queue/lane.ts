/** A list from which any item can be removed in constant time. */
export type Link<T> = { item: T; previous: Link<T> | undefined; next: Link<T> | undefined };

/**
 * Not a Map, although that keeps the order of insertion as well: finding its first entry walks past every entry that
 * was deleted before it, so that emptying it from the front takes ten times as long for 10,000 keys.
 */
export class LinkedList<T> {
  #first: Link<T> | undefined;
  #last: Link<T> | undefined;
  #size = 0;

  get first(): T | undefined {
    return this.#first?.item;
  }

  get size(): number {
    return this.#size;
  }

  push(item: T): Link<T> {
    const link: Link<T> = { item, previous: this.#last, next: undefined };
    if (this.#last === undefined) this.#first = link;
    else this.#last.next = link;
    this.#last = link;
    this.#size++;
    return link;
  }

  /** The link must be in this list. */
  remove(link: Link<T>): void {
    if (link.previous === undefined) this.#first = link.next;
    else link.previous.next = link.next;
    if (link.next === undefined) this.#last = link.previous;
    else link.next.previous = link.previous;
    this.#size--;
  }
}

/** The part before the slash; '' for keys of cluster-scoped objects. */
function namespaceOf(key: string): string {
  return key.slice(0, Math.max(0, key.indexOf('/')));
}

/** A namespace's keys, and its place among the namespaces. */
type Line = { keys: LinkedList<string>; turn: Link<string> };
type Waiting = { since: number; link: Link<string> };

/**
 * Waiting keys, each once. Namespaces take turns, and within one the key that has waited longest comes first: between
 * two hand-outs to a waiting namespace, every other one gets at most one, however many keys it has. All operations take
 * constant time.
 */
export class FairLane {
  readonly #waiting = new Map<string, Waiting>();
  readonly #lines = new Map<string, Line>();
  /** Namespaces with keys, the next one first. */
  readonly #turns = new LinkedList<string>();

  get size(): number {
    return this.#waiting.size;
  }

  has(key: string): boolean {
    return this.#waiting.has(key);
  }

  /** Puts the key at the end of its namespace's line. It must not be in the lane. */
  push(key: string, since: number): void {
    const namespace = namespaceOf(key);
    let line = this.#lines.get(namespace);
    if (line === undefined) {
      line = { keys: new LinkedList(), turn: this.#turns.push(namespace) };
      this.#lines.set(namespace, line);
    }
    this.#waiting.set(key, { since, link: line.keys.push(key) });
  }

  /** Removes the key; returns since when it has waited, undefined when it was not waiting. */
  take(key: string): number | undefined {
    const waiting = this.#waiting.get(key);
    const namespace = namespaceOf(key);
    const line = this.#lines.get(namespace);
    if (waiting === undefined || line === undefined) return undefined;
    this.#waiting.delete(key);
    line.keys.remove(waiting.link);
    if (line.keys.size === 0) {
      this.#turns.remove(line.turn);
      this.#lines.delete(namespace);
    }
    return waiting.since;
  }

  /** Removes the first key of the namespace whose turn it is, which then goes behind the others. */
  shift(): { key: string; since: number } | undefined {
    const namespace = this.#turns.first;
    const line = namespace === undefined ? undefined : this.#lines.get(namespace);
    const key = line?.keys.first;
    if (namespace === undefined || line === undefined || key === undefined) return undefined;
    this.#turns.remove(line.turn);
    line.turn = this.#turns.push(namespace);
    return { key, since: this.take(key) ?? 0 };
  }

  clear(): void {
    while (this.shift() !== undefined);
  }

  /** Number of waiting keys by namespace. */
  counts(): ReadonlyMap<string, number> {
    return new Map([...this.#lines].map(([namespace, { keys }]) => [namespace, keys.size]));
  }
}
