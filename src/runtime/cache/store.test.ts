import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../objects';
import { ObjectStore, unionStore, type StoreChange } from './store';

type Pod = KubeObject & { value?: string };

const ownersOf = ({ metadata }: Pod) => (metadata.ownerReferences ?? []).map(({ uid }) => uid);
const appsOf = ({ metadata }: Pod) =>
  Object.values({ app: metadata.labels?.app }).filter((app) => app !== undefined);

function pod(name: string, version: number, extra: Partial<KubeObject['metadata']> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'a', resourceVersion: String(version), ...extra },
  };
}

function storeWithLog() {
  const store = new ObjectStore<Pod>({ owner: ownersOf, app: appsOf });
  const log: string[] = [];
  store.subscribe((change: StoreChange<Pod>) => {
    log.push(`${change.type} ${change.object.metadata.name}@${change.object.metadata.resourceVersion}`);
  });
  return { store, log };
}

const names = (objects: readonly Pod[]) => objects.map((object) => object.metadata.name).sort();

describe('a list', () => {
  test('fills the store and is reported object by object', () => {
    const { store, log } = storeWithLog();
    store.replace([pod('x', 1), pod('y', 2)], '5', store.writes, true);
    expect(names(store.list())).toEqual(['x', 'y']);
    expect(log).toEqual(['added x@1', 'added y@2']);
    expect(store.resourceVersion).toBe('5');
  });

  test('again reports only the difference, deletions missed in a gap included', () => {
    const { store, log } = storeWithLog();
    store.replace([pod('x', 1), pod('y', 2), pod('z', 3)], '5', store.writes);
    log.length = 0;
    store.replace([pod('x', 1), pod('y', 7)], '9', store.writes);
    expect(log).toEqual(['updated y@7', 'deleted z@3']);
  });

  test('of a restored etcd, which counts backwards, is believed', () => {
    const { store } = storeWithLog();
    store.replace([], '100', store.writes);
    store.observeWrite(pod('ghost', 120));
    store.replace([pod('x', 10)], '50', store.writes);
    expect(names(store.list())).toEqual(['x']);
    expect(store.observeWrite(pod('new', 60))).toBe(true);
  });
});

describe('indexes', () => {
  test('follow additions, changes and deletions', () => {
    const { store } = storeWithLog();
    const owner = { apiVersion: 'v1', kind: 'X', name: 'o', uid: 'u1' };
    store.applyEvent(pod('x', 1, { labels: { app: 'one' }, ownerReferences: [owner] }));
    store.applyEvent(pod('y', 2, { labels: { app: 'one' } }));
    expect(names(store.byIndex('app', 'one'))).toEqual(['x', 'y']);
    expect(names(store.byIndex('owner', 'u1'))).toEqual(['x']);
    store.applyEvent(pod('x', 3, { labels: { app: 'two' } }));
    expect(names(store.byIndex('app', 'one'))).toEqual(['y']);
    expect(names(store.byIndex('owner', 'u1'))).toEqual([]);
    store.deleteEvent(pod('y', 4, { labels: { app: 'one' } }));
    expect(names(store.byIndex('app', 'one'))).toEqual([]);
  });

  test('added late covers what is there', () => {
    const { store } = storeWithLog();
    store.applyEvent(pod('x', 1));
    store.addIndex('name', (object) => [object.metadata.name]);
    expect(names(store.byIndex('name', 'x'))).toEqual(['x']);
  });

  test('unknown ones are a mistake', () => {
    expect(() => storeWithLog().store.byIndex('nope', 'x')).toThrow('unknown index "nope"');
  });
});

describe('read-your-writes', () => {
  test('a created object is there before the watch tells', () => {
    const { store, log } = storeWithLog();
    store.replace([], '5', store.writes);
    expect(store.observeWrite(pod('x', 6))).toBe(true);
    expect(store.get('a', 'x')?.metadata.resourceVersion).toBe('6');
    store.applyEvent(pod('x', 6));
    expect(log).toEqual(['added x@6']);
  });

  test('an event that lags behind our write does not undo it', () => {
    const { store, log } = storeWithLog();
    store.replace([pod('x', 5)], '5', store.writes);
    store.observeWrite(pod('x', 9));
    store.applyEvent(pod('x', 7));
    expect(store.get('a', 'x')?.metadata.resourceVersion).toBe('9');
    expect(log).toEqual(['added x@5', 'updated x@9']);
  });

  test('an answer that arrives after the deletion does not bring the object back', () => {
    const { store } = storeWithLog();
    store.replace([pod('x', 5)], '5', store.writes);
    store.deleteEvent(pod('x', 9));
    expect(store.observeWrite(pod('x', 8))).toBe(false);
    expect(store.get('a', 'x')).toBeUndefined();
  });

  test('nothing enters before the first list', () => {
    const { store } = storeWithLog();
    expect(store.observeWrite(pod('x', 8))).toBe(false);
  });

  test('a write during a relist survives it when it is newer than the list', () => {
    const { store } = storeWithLog();
    store.replace([], '5', store.writes);
    const before = store.writes;
    store.observeWrite(pod('new', 9));
    store.observeWrite(pod('old', 7));
    store.replace([], '8', before);
    expect(names(store.list())).toEqual(['new']);
  });

  test('a deletion older than our re-creation is dropped', () => {
    const { store } = storeWithLog();
    store.replace([pod('x', 5)], '5', store.writes);
    store.observeWrite(pod('x', 9));
    store.deleteEvent(pod('x', 8));
    expect(store.get('a', 'x')?.metadata.resourceVersion).toBe('9');
  });
});

describe('union', () => {
  test('reads several stores as one', () => {
    const one = new ObjectStore<Pod>({ app: appsOf });
    const two = new ObjectStore<Pod>({ app: appsOf });
    one.applyEvent(pod('x', 1, { labels: { app: 'k' } }));
    two.applyEvent(pod('y', 2, { namespace: 'b', labels: { app: 'k' } }));
    const union = unionStore([one, two]);
    expect(union.get('b', 'y')?.metadata.name).toBe('y');
    expect(union.get('b', 'x')).toBeUndefined();
    expect(names(union.list())).toEqual(['x', 'y']);
    expect(names(union.list('a'))).toEqual(['x']);
    expect(names(union.byIndex('app', 'k'))).toEqual(['x', 'y']);
  });
});

type ServerEvent = { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: Pod };

/** What the server's watch says of one object that is written and deleted in this order. */
function eventsOf(steps: readonly ('write' | 'delete')[]): ServerEvent[] {
  let lives = false;
  return steps.flatMap((step, index): ServerEvent[] => {
    const object = pod('x', index + 2);
    const lived = lives;
    lives = step === 'write';
    if (step === 'write') return [{ type: lived ? 'MODIFIED' : 'ADDED', object }];
    return lived ? [{ type: 'DELETED', object }] : [];
  });
}

function deliver(store: ObjectStore<Pod>, event: ServerEvent): void {
  if (event.type === 'DELETED') store.deleteEvent(event.object);
  else store.applyEvent(event.object);
}

/**
 * A history of one object on the server, seen by the store through a watch that lags and through our own answers, which
 * come late or early: whatever the interleaving, in the end the store holds the server's state.
 */
test('property: any interleaving of watch and answers converges to the server', () => {
  const history = fc.array(fc.constantFrom('write' as const, 'delete' as const), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(history, fc.array(fc.nat(3), { maxLength: 40 }), (steps, choices) => {
      const { store } = storeWithLog();
      store.replace([], '1', store.writes);
      const events = eventsOf(steps);
      const last = events.at(-1);
      const answers = events.filter((event) => event.type !== 'DELETED').map((event) => event.object);
      const watched = [...events];
      for (const choice of choices) {
        if (choice === 0) watched.splice(0, 1).forEach((event) => deliver(store, event));
        else
          answers.splice(choice % (answers.length || 1), 1).forEach((object) => store.observeWrite(object));
      }
      watched.forEach((event) => deliver(store, event));
      answers.forEach((object) => store.observeWrite(object));
      const want =
        last === undefined || last.type === 'DELETED' ? undefined : last.object.metadata.resourceVersion;
      expect(store.get('a', 'x')?.metadata.resourceVersion).toBe(want);
    }),
  );
});

/**
 * One child, its server, and a cache that is fed by lists and watches which lag behind. Only the reconciler makes the
 * child; anybody may change or delete it. Its writes' answers enter the cache at once.
 */
function childWorld() {
  const { store } = storeWithLog();
  const log: ServerEvent[] = [];
  let version = 1;
  let child: Pod | undefined;
  let delivered = 0;
  let list: { items: Pod[]; version: number; writes: number; position: number } | undefined;
  let secondChildren = 0;
  store.replace([], '1', store.writes);
  const record = (type: ServerEvent['type'], object: Pod) => void log.push({ type, object });
  return {
    get secondChildren() {
      return secondChildren;
    },
    reconcile() {
      if (store.get('a', 'x') !== undefined) return;
      if (child !== undefined) return void secondChildren++;
      child = pod('x', ++version);
      record('ADDED', child);
      store.observeWrite(child);
    },
    change() {
      if (child === undefined) return;
      child = pod('x', ++version);
      record('MODIFIED', child);
    },
    remove() {
      if (child === undefined) return;
      child = undefined;
      record('DELETED', pod('x', ++version));
    },
    watch() {
      const event = list === undefined ? log[delivered] : undefined;
      if (event === undefined) return;
      delivered++;
      deliver(store, event);
    },
    bookmark() {
      // The server sends one only when everything before it has been sent.
      if (list === undefined && delivered === log.length) store.moveTo(String(++version));
    },
    /** A list takes its time: what happens until it is taken over is not in it. */
    beginList() {
      const items = child === undefined ? [] : [child];
      list ??= { items, version, writes: store.writes, position: log.length };
    },
    endList() {
      if (list === undefined) return;
      store.replace(list.items, String(list.version), list.writes);
      delivered = list.position;
      list = undefined;
    },
  };
}

test('property: a stale cache never makes a second child', () => {
  const step = fc.constantFrom(
    'reconcile' as const,
    'reconcile' as const,
    'change' as const,
    'remove' as const,
    'watch' as const,
    'watch' as const,
    'bookmark' as const,
    'beginList' as const,
    'endList' as const,
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const world = childWorld();
      for (const each of steps) world[each]();
      expect(world.secondChildren).toBe(0);
    }),
    { numRuns: 2000 },
  );
});
