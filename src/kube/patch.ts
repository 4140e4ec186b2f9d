/** Comparison and merge patches (RFC 7386) of JSON values; a property that is undefined counts as absent. */

type JsonObject = Record<string, unknown>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function presentKeys(object: JsonObject): string[] {
  return Object.keys(object).filter((key) => object[key] !== undefined);
}

export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => equalJson(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const keys = presentKeys(a);
  return keys.length === presentKeys(b).length && keys.every((key) => equalJson(a[key], b[key]));
}

/**
 * The smallest merge patch that turns `before` into `after`, undefined when they are equal. Lists are replaced whole,
 * as merge patches do.
 * Example: {a: 1, b: {c: 2, d: 3}} to {a: 1, b: {c: 4}} is {b: {c: 4, d: null}}.
 */
export function mergePatch(before: unknown, after: unknown): unknown {
  if (equalJson(before, after)) return undefined;
  if (!isObject(before) || !isObject(after)) return after;
  const patch: JsonObject = {};
  for (const key of new Set([...presentKeys(before), ...presentKeys(after)])) {
    if (after[key] === undefined) patch[key] = null;
    else {
      const change = mergePatch(before[key], after[key]);
      if (change !== undefined) patch[key] = change;
    }
  }
  return patch;
}

/** JSON with sorted keys, so that equal values have equal texts. */
export function stableStringify(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    isObject(item)
      ? Object.fromEntries(
          presentKeys(item)
            .sort()
            .map((key) => [key, item[key]]),
        )
      : item,
  );
}

/** Identifies an element of a list that server-side apply merges by key; the others are compared by position. */
function mergeKey(item: unknown): string | undefined {
  if (!isObject(item)) return undefined;
  const parts = ['name', 'mountPath', 'containerPort', 'port', 'protocol', 'uid', 'key', 'topologyKey']
    .filter((key) => item[key] !== undefined)
    .slice(0, 1)
    .map((key) => `${key}=${String(item[key])}`);
  return parts[0];
}

/**
 * Paths at which the live value lacks something that is desired, for example `spec.containers[web].image`. It may hold
 * more: defaults of the server and fields of other managers.
 */
export function differences(live: unknown, desired: unknown, path = ''): string[] {
  if (live === undefined && isEmpty(desired)) return [];
  if (Array.isArray(desired)) {
    return Array.isArray(live) ? listDifferences(live, desired, path) : [path];
  }
  if (!isObject(desired)) return live === desired ? [] : [path];
  if (!isObject(live)) return [path];
  return presentKeys(desired).flatMap((key) =>
    differences(live[key], desired[key], path === '' ? key : `${path}.${key}`),
  );
}

/** Values that the server leaves out of its answers. */
function isEmpty(value: unknown): boolean {
  if (isObject(value)) return presentKeys(value).length === 0;
  return value === '' || value === false || (Array.isArray(value) && value.length === 0);
}

function listDifferences(live: readonly unknown[], desired: readonly unknown[], path: string): string[] {
  const keys = desired.map(mergeKey);
  if (desired.length === 0 || keys.includes(undefined) || new Set(keys).size !== keys.length) {
    if (live.length !== desired.length) return [path];
    return desired.flatMap((item, index) => differences(live[index], item, `${path}[${index}]`));
  }
  return desired.flatMap((item, index) => {
    const key = keys[index] ?? '';
    const found = live.find((candidate) => mergeKey(candidate) === key);
    return differences(found, item, `${path}[${key.slice(key.indexOf('=') + 1)}]`);
  });
}

/** Whether the live value holds everything that is desired. */
export function covers(live: unknown, desired: unknown): boolean {
  return differences(live, desired).length === 0;
}
