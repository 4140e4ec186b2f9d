/** The parts of a Kubernetes object that this runtime reads; everything else passes through as raw JSON. */

export type OwnerReference = {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
};

export type ObjectMeta = {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  /** Which field manager owns what (FieldsV1). Never cached. */
  managedFields?: { manager?: string; operation?: string; subresource?: string; fieldsV1?: object }[];
};

export type KubeObject = { apiVersion: string; kind: string; metadata: ObjectMeta };

declare const objectType: unique symbol;

/** A resource of the API; T exists at compile time only and says what its objects look like. */
export type Resource<T extends KubeObject = KubeObject> = {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly [objectType]?: T;
};

/** Namespace and name; the namespace of a cluster-scoped object is ''. */
export type ObjectKey = { namespace: string; name: string };

export function apiVersionOf(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** Name of the resource in logs and metrics: `jobs.batch`, `pods`. */
export function resourceName(resource: Resource): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

/** URL path of the collection: all namespaces when none is given. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const root =
    resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope = resource.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${resource.plural}`;
}

/** URL path of one object. Throws where the name or the namespace of a namespaced resource is missing. */
export function objectPath(resource: Resource, key: ObjectKey): string {
  if (key.name === '' || (resource.namespaced && key.namespace === '')) {
    throw new Error(`incomplete key for ${resourceName(resource)}: "${key.namespace}/${key.name}"`);
  }
  return `${collectionPath(resource, key.namespace)}/${encodeURIComponent(key.name)}`;
}

/**
 * The path with names left out, as a span of it is called.
 * Example: /api/v1/namespaces/ml/pods/a/status is /api/v1/namespaces/{namespace}/pods/{name}/status.
 */
export function routeOf(path: string): string {
  const [root, rest = ''] = /^(\/api\/[^/]+|\/apis\/[^/]+\/[^/]+)\/(.*)$/.exec(path)?.slice(1) ?? [path];
  const parts = rest.split('/');
  const scoped = parts[0] === 'namespaces' && parts.length > 2;
  const [plural, name, ...more] = scoped ? parts.slice(2) : parts;
  const route = [root, ...(scoped ? ['namespaces', '{namespace}'] : []), plural, name && '{name}', ...more];
  return route.filter((part) => part !== undefined && part !== '').join('/');
}

export function keyOf(object: { metadata: { name: string; namespace?: string } }): ObjectKey {
  return { namespace: object.metadata.namespace ?? '', name: object.metadata.name };
}

export function keyText(key: ObjectKey): string {
  return `${key.namespace}/${key.name}`;
}

/** Inverse of keyText: neither part can hold a slash. */
export function parseKey(text: string): ObjectKey {
  const slash = text.indexOf('/');
  return { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}

/**
 * Orders two resource versions: negative, zero or positive as for sort; undefined where they cannot be compared.
 * Kubernetes promises that those of one resource type are comparable decimal numbers (KEP-5504).
 */
export function compareResourceVersions(a: string | undefined, b: string | undefined): number | undefined {
  if (a === undefined || b === undefined) return undefined;
  if (!/^[0-9]+$/.test(a) || !/^[0-9]+$/.test(b)) return a === b ? 0 : undefined;
  const [left, right] = [a.replace(/^0+(?=.)/, ''), b.replace(/^0+(?=.)/, '')];
  if (left.length !== right.length) return left.length - right.length;
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
