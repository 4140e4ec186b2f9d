/** The versions of a service: what each consists of, and how one that served comes back. */
import type {
  QualityGate,
  QualityMonitor,
  RevisionStatus,
  ServedModel,
  SparseInferenceService,
  SparseInferenceServiceSpec,
} from '../api/types';
import { labels, managedBy, revisionName } from '../kube/names';
import { ownerReference } from '../kube/owner';
import { differences } from '../kube/patch';
import { controllerRevisions, type ControllerRevision, type Deployment } from '../kube/resources';
import { defined } from '../runtime/defined';
import {
  expectedDigest,
  INPUTS_ANNOTATION,
  RESTART_ANNOTATION,
  sampling,
  serverOf,
  templateInputs,
} from './deployment';
import { boundsOfServer } from './server-gate';

/** Everything that a version's template depends on, except for what comes with the operator. */
export type Version = {
  model: ServedModel;
  engine?: SparseInferenceServiceSpec['engine'] | undefined;
  server?: SparseInferenceServiceSpec['server'] | undefined;
  sources?: SparseInferenceServiceSpec['sources'] | undefined;
  restartedAt?: string | undefined;
  /** The bounds that its servers were started with. They are listed among what changed, and never come back. */
  qualityGate?: Partial<QualityGate> | undefined;
  /** As with these bounds, what its servers sample is that of the present spec. */
  qualityMonitor?: QualityMonitor | undefined;
};

export type Revision = ControllerRevision<Version>;

export const DEFAULT_HISTORY = 10;

export function versionOf({ metadata, spec }: SparseInferenceService, model: ServedModel): Version {
  const { engine, server, sources } = spec;
  const restartedAt = metadata.annotations?.[RESTART_ANNOTATION];
  const qualityGate = boundsOfServer(spec.qualityGate, model);
  const qualityMonitor = sampling(spec);
  return { model, ...defined({ engine, server, sources, restartedAt, qualityGate, qualityMonitor }) };
}

/** Name of the version that the service would have with this model. */
export function wantedRevision(service: SparseInferenceService, model: ServedModel): string {
  return revisionName(service.metadata.name, templateInputs(service, model));
}

/** Name of the version in a Deployment's template. */
export function deployedRevision({ metadata }: SparseInferenceService, deployment: Deployment): string {
  return revisionName(metadata.name, deployment.metadata.annotations?.[INPUTS_ANNOTATION] ?? '');
}

export function buildRevision(service: SparseInferenceService, model: ServedModel, number: number): Revision {
  const { name, namespace = '' } = service.metadata;
  return {
    apiVersion: 'apps/v1',
    kind: controllerRevisions.kind,
    metadata: {
      name: wantedRevision(service, model),
      namespace,
      labels: { [labels.managedBy]: managedBy, [labels.service]: name },
      ownerReferences: [ownerReference(service)],
    },
    revision: number,
    data: versionOf(service, model),
  };
}

/** Selects the ControllerRevisions of a service. */
export function revisionSelector({ metadata }: SparseInferenceService): string {
  return `${labels.managedBy}=${managedBy},${labels.service}=${metadata.name}`;
}

/** The service as its spec would be to ask for this version. Its name, gate and scaling stay as they are. */
export function asking(service: SparseInferenceService, version: Version): SparseInferenceService {
  const { model, engine, server, sources, restartedAt } = version;
  const { metadata, status } = service;
  const { engine: _engine, server: _server, sources: _sources, ...spec } = service.spec;
  const { [RESTART_ANNOTATION]: _restarted, ...annotations } = metadata.annotations ?? {};
  return {
    ...service,
    metadata: {
      ...metadata,
      annotations: {
        ...annotations,
        ...(restartedAt !== undefined && { [RESTART_ANNOTATION]: restartedAt }),
      },
    },
    spec: { ...spec, ...defined({ engine, server, sources }), model: sourceOf(model) },
    // A model that a SparseFinetune made is taken from here, as if it were pinned: the run may be gone.
    status: { ...status, wanted: model },
  };
}

function sourceOf({ uri, finetune, pinned, sha256 }: ServedModel): SparseInferenceServiceSpec['model'] {
  if (finetune?.name === undefined) {
    return defined({ uri, sha256: pinned === true ? sha256 : undefined, follow: false });
  }
  return { finetuneRef: { name: finetune.name }, follow: false };
}

/** Fields of the spec in which two versions differ, for people. */
export function changes(before: Version | undefined, after: Version): string {
  if (before === undefined) return '';
  const paths = [
    ...modelChange(before, after),
    ...['engine', 'server', 'sources', 'qualityGate', 'qualityMonitor', 'restartedAt'].flatMap((part) => {
      const [was, is] = [before, after].map((version) => version[part as keyof Version]);
      return [...differences(was, is, part), ...differences(is, was, part)];
    }),
  ];
  return [...new Set(paths)].sort().join(', ').slice(0, 512);
}

/** A digest alone is a field only where the model is given by its URI. */
function modelChange({ model: before }: Version, { model: after }: Version): string[] {
  if (before.uri !== after.uri || before.finetune?.uid !== after.finetune?.uid) return ['model'];
  if (expectedDigest(before) === expectedDigest(after)) return [];
  return [after.finetune === undefined ? 'model.sha256' : 'model'];
}

export type Served = {
  deployment: Deployment;
  /** Of this service, also those that never served. */
  stored: readonly Revision[];
  /** Of the version that serves now. */
  name: string;
  servedAt: string;
  /** Earlier versions to keep. */
  limit: number;
};

/** The list in the status once the version of this name serves: numbers rise, and the oldest go. */
export function withServed(
  listed: readonly RevisionStatus[] | undefined,
  { deployment, stored, name, servedAt, limit }: Served,
): RevisionStatus[] {
  const found = stored.find(({ metadata }) => metadata.name === name);
  if (found?.data === undefined) return [...(listed ?? [])];
  const others = (listed ?? []).filter((each) => each.name !== name);
  const former = latest(others);
  const before = stored.find(({ metadata }) => metadata.name === former?.name)?.data;
  const entry: RevisionStatus = defined({
    number: found.revision,
    name,
    model: found.data.model.uri,
    image: serverOf(deployment)?.image,
    changed: changes(before, found.data) || undefined,
    servedAt,
  });
  const kept = [...others].sort(byTime).slice(Math.max(0, others.length - limit));
  return [...kept, entry].sort((a, b) => a.number - b.number);
}

/** The version that began to serve last. */
export function latest(listed: readonly RevisionStatus[] | undefined): RevisionStatus | undefined {
  return [...(listed ?? [])].sort(byTime).at(-1);
}

function byTime(a: RevisionStatus, b: RevisionStatus): number {
  return Date.parse(a.servedAt) - Date.parse(b.servedAt) || a.number - b.number;
}
