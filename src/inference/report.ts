/** What a server's report means for its SparseInferenceService. */
import {
  sparseInferenceServices,
  type EngineStatus,
  type GateStatus,
  type LoadingStatus,
  type ServedModel,
  type SourceStatus,
  type SparseInferenceService,
  type SparseInferenceServiceStatus,
} from '../api/types';
import { deployments, replicaSets } from '../kube/resources';
import type { ReportAddress } from '../reports/address';
import {
  decimal,
  integer,
  object,
  reader,
  reasonWord,
  reportedError,
  sentence,
  sha256,
  small,
  text,
  uri,
  yesOrNo,
  type ReportedError,
} from '../reports/fields';
import type { ReportKind } from '../reports/kind';
import { readFinalReport } from '../reports/termination';
import { sourcesRule } from '../workload/sources';
import { defined } from '../runtime/defined';

type ReportedModel = { uri?: string; sha256?: string };
export type ServiceReport = {
  engine?: EngineStatus;
  model?: ReportedModel;
  gate?: GateStatus;
  loading?: LoadingStatus;
  sources?: SourceStatus[];
};

export const parseServiceReport = reader<ServiceReport>({
  engine: object<EngineStatus>({
    backend: text(64),
    precision: text(8),
    sparseLayers: small,
    totalLayers: small,
    speedup: decimal,
    latencyMilliseconds: object<NonNullable<EngineStatus['latencyMilliseconds']>>({
      p50: decimal,
      p99: decimal,
    }),
    device: text(256),
    maxBatchSize: small,
    reason: text(512),
  }),
  model: object<ReportedModel>({ uri, sha256 }),
  sources: sourcesRule,
  gate: object<GateStatus>(
    { uri, bounds: text(512), passed: yesOrNo, reason: reasonWord(), message: sentence },
    ['uri', 'bounds', 'passed', 'reason', 'message'],
  ),
  loading: object<LoadingStatus>({ phase: text(64), percent: integer(0, 100) }, ['phase', 'percent']),
});

const parseExit = reader<{ error?: ReportedError }>({ error: reportedError });

/** Why the server ended, by its termination message. */
export function exitError(message: string | undefined): ReportedError | undefined {
  return readFinalReport(message, parseExit)?.error;
}

/**
 * The status with a server's report in it. The digest belongs to the wanted model or to the one that serves, by the URI
 * that the server names; a report that names another URI, as pods of an earlier version do, is ignored.
 */
export function withReport(
  status: SparseInferenceServiceStatus,
  { engine, model, gate, loading, sources }: ServiceReport,
): SparseInferenceServiceStatus {
  const places = ['wanted', 'model'] as const;
  const place = places.find((one) => model?.uri !== undefined && model.uri === plain(status[one]?.uri));
  if (model?.uri !== undefined && place === undefined) return status;
  return {
    ...status,
    ...defined({ engine, gate, sources, loading: engine === undefined ? loading : undefined }),
    ...(place === undefined ? {} : withDigest(status, place, model?.sha256)),
  };
}

function withDigest(
  status: SparseInferenceServiceStatus,
  place: 'wanted' | 'model',
  sha256: string | undefined,
): SparseInferenceServiceStatus {
  const held = status[place];
  return held === undefined || hasDigest(held) || sha256 === undefined
    ? {}
    : { [place]: { ...held, sha256 } };
}

/** Whether its digest is given, and not only reported. */
function hasDigest({ finetune, pinned }: ServedModel): boolean {
  return finetune !== undefined || pinned === true;
}

/** The URI as a server writes its folder: normalised. */
export function plain(uri: string | undefined): string | undefined {
  return uri?.replace(/\/\.(?=\/|$)/g, '');
}

/** Where a server reports its load to; see load.ts. */
export const loadAddress = { objects: 'services', topic: 'load' } satisfies ReportAddress;

export const serviceReports = {
  name: 'service',
  resource: sparseInferenceServices,
  address: { objects: 'services', topic: 'engine' },
  controllers: [replicaSets, deployments],
  parse: parseServiceReport,
  isUrgent: (_, { loading, engine }) => loading === undefined || engine !== undefined,
  apply: (service, report) => withReport(service.status ?? {}, report),
} satisfies ReportKind<SparseInferenceService, ServiceReport>;
