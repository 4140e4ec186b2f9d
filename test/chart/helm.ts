/** The chart as Helm sees it: rendered with given values, as parsed objects. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { exec } from '../cluster/exec';
import { ensureBinaries } from '../cluster/index';
import { eventually } from '../integration/api-server';

export const chart = path.join(
  path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))),
  'charts',
  'sparsedm-operator',
);

export type Values = Record<string, unknown>;

export type Rule = { apiGroups: string[]; resources: string[]; verbs: string[]; resourceNames?: string[] };

/** A rendered object: the fields that tests look at, loosely typed. */
export type Manifest = {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  spec?: Record<string, unknown>;
  rules?: Rule[];
  roleRef?: { kind: string; name: string };
  subjects?: { kind: string; name: string; namespace: string }[];
};

export type RenderOptions = { release?: string; namespace?: string; apiVersions?: string[] };

export async function helm(args: readonly string[], input?: string): Promise<string> {
  return exec((await ensureBinaries()).helm, args, input === undefined ? {} : { input });
}

const rendered = new Map<string, Promise<string>>();

/** Output of `helm template`, cached by values, because each call takes a quarter of a second. */
export function renderText(values: Values = {}, options: RenderOptions = {}): Promise<string> {
  const key = JSON.stringify([values, options]);
  const known = rendered.get(key) ?? renderUncached(values, options);
  rendered.set(key, known);
  return known;
}

export function renderUncached(values: Values = {}, options: RenderOptions = {}): Promise<string> {
  const { release = 'sparsedm', namespace = 'sparsedm-system', apiVersions = [] } = options;
  const apis = apiVersions.flatMap((name) => ['--api-versions', name]);
  const args = ['template', release, chart, '--namespace', namespace, ...apis, '--values', '-'];
  return helm(args, JSON.stringify(values));
}

/** The objects that `helm template` prints; broken YAML and duplicate keys are errors. */
export async function render(values: Values = {}, options: RenderOptions = {}): Promise<Manifest[]> {
  return parseAllDocuments(await renderText(values, options), { uniqueKeys: true, strict: true })
    .map((document) => {
      if (document.errors[0]) throw document.errors[0];
      return document.toJS() as Manifest | null;
    })
    .filter((manifest) => manifest !== null);
}

export function ofKind(manifests: readonly Manifest[], kind: string): Manifest[] {
  return manifests.filter((manifest) => manifest.kind === kind);
}

/** The operator's own object of the kind; the gateways may have one too. */
export function only(manifests: readonly Manifest[], kind: string): Manifest {
  const all = ofKind(manifests, kind).filter(({ metadata }) => !metadata.name.endsWith('-gateway'));
  const [found, ...more] = all;
  if (!found || more.length > 0) throw new Error(`expected one ${kind}, found ${all.length}`);
  return found;
}

export type Container = {
  image: string;
  imagePullPolicy: string;
  args: string[];
  env: { name: string; value?: string }[];
  ports: { name: string; containerPort: number }[];
  securityContext?: Record<string, unknown>;
  resources?: Record<string, Record<string, string>>;
} & Record<'startupProbe' | 'livenessProbe' | 'readinessProbe', { httpGet: { path: string; port: string } }>;

export type PodSpec = { containers: Container[]; serviceAccountName: string } & Record<string, unknown>;

export type DeploymentSpec = {
  replicas: number;
  strategy: Record<string, unknown>;
  selector: { matchLabels: Record<string, string> };
  template: {
    metadata: { labels: Record<string, string>; annotations: Record<string, string> };
    spec: PodSpec;
  };
};

export function deploymentSpec(manifests: readonly Manifest[]): DeploymentSpec {
  return only(manifests, 'Deployment').spec as DeploymentSpec;
}

export function operatorContainer(manifests: readonly Manifest[]): Container {
  const [container] = deploymentSpec(manifests).template.spec.containers;
  if (!container) throw new Error('the Deployment has no container');
  return container;
}

/**
 * Waits until the API server serves these definitions, by default all. In the first moment a definition has no
 * conditions, at which `kubectl wait` ends with an error instead of waiting.
 */
export async function whenEstablished(
  kubectl: (args: readonly string[]) => Promise<string>,
  names: readonly string[] = ['--all'],
): Promise<void> {
  await eventually(() => kubectl(['wait', '--for=condition=Established', 'crd', ...names, '--timeout=30s']));
}
