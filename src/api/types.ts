/** Readable names for parts of the generated types, in the form that the operator's caches hold. */
import type { Condition } from '../kube/conditions';
import type { KubeObject, Resource } from '../runtime/objects';
import type { ISparseFinetune } from './generated/sparsedm.io/v1alpha1/SparseFinetune';
import type { ISparseStudy } from './generated/sparsedm.io/v1alpha1/SparseStudy';
import type { ISparseInferenceService } from './generated/sparsedm.io/v1alpha1/SparseInferenceService';

export type { Condition } from '../kube/conditions';

export type SparseFinetuneSpec = ISparseFinetune['spec'];
type GeneratedFinetuneStatus = NonNullable<ISparseFinetune['status']>;
export type SparseFinetuneStatus = Omit<GeneratedFinetuneStatus, 'conditions'> & { conditions?: Condition[] };
export type FinetunePhase = NonNullable<GeneratedFinetuneStatus['phase']>;
export type Progress = NonNullable<GeneratedFinetuneStatus['progress']>;
export type CheckpointStatus = NonNullable<GeneratedFinetuneStatus['checkpoint']>;
export type SparsityStatus = NonNullable<GeneratedFinetuneStatus['sparsity']>;
export type ImagesStatus = NonNullable<GeneratedFinetuneStatus['images']>;
export type MacsStatus = NonNullable<GeneratedFinetuneStatus['macs']>;
export type LatencyStatus = NonNullable<GeneratedFinetuneStatus['latency']>;
export type DistanceStatus = NonNullable<GeneratedFinetuneStatus['fid']>;
export type ModelStatus = NonNullable<GeneratedFinetuneStatus['model']>;
export type AttemptsStatus = NonNullable<GeneratedFinetuneStatus['attempts']>;
export type BestStatus = NonNullable<GeneratedFinetuneStatus['best']>;
export type RollbackStatus = NonNullable<GeneratedFinetuneStatus['rollback']>;
export type TrainerStatus = NonNullable<GeneratedFinetuneStatus['trainer']>;
export type Acceptance = NonNullable<SparseFinetuneSpec['acceptance']>;

export type SparseFinetune = KubeObject & { spec: SparseFinetuneSpec; status?: SparseFinetuneStatus };

export type SparseInferenceServiceSpec = ISparseInferenceService['spec'];
type GeneratedServiceStatus = NonNullable<ISparseInferenceService['status']>;
export type SparseInferenceServiceStatus = Omit<GeneratedServiceStatus, 'conditions'> & {
  conditions?: Condition[];
};
export type ServicePhase = NonNullable<GeneratedServiceStatus['phase']>;
export type ServedModel = NonNullable<GeneratedServiceStatus['model']>;
export type EngineStatus = NonNullable<GeneratedServiceStatus['engine']>;
export type LoadingStatus = NonNullable<GeneratedServiceStatus['loading']>;
export type GateStatus = NonNullable<GeneratedServiceStatus['gate']>;
export type RolloutSpec = NonNullable<SparseInferenceServiceSpec['rollout']>;
export type RolloutStatus = NonNullable<GeneratedServiceStatus['rollout']>;
export type RevisionStatus = NonNullable<GeneratedServiceStatus['revisions']>[number];
export type QualityMonitor = NonNullable<SparseInferenceServiceSpec['qualityMonitor']>;
export type QualityStatus = NonNullable<GeneratedServiceStatus['quality']>[number];
export type QualityGate = NonNullable<SparseInferenceServiceSpec['qualityGate']>;

export type SparseInferenceService = KubeObject & {
  spec: SparseInferenceServiceSpec;
  status?: SparseInferenceServiceStatus;
};

/** How pods fetch what lies outside the cluster. */
export type Sources = NonNullable<SparseFinetuneSpec['sources']>;
export type SourceStatus = NonNullable<GeneratedFinetuneStatus['sources']>[number];

export type SparseStudySpec = ISparseStudy['spec'];
type GeneratedStudyStatus = NonNullable<ISparseStudy['status']>;
export type SparseStudyStatus = Omit<GeneratedStudyStatus, 'conditions'> & { conditions?: Condition[] };
export type StudyRun = NonNullable<GeneratedStudyStatus['runs']>[number];

export type SparseStudy = KubeObject & { spec: SparseStudySpec; status?: SparseStudyStatus };

/** The fields that spec.trainer and spec.server share. */
export type PodSettings = NonNullable<SparseFinetuneSpec['trainer']>;

export const sparseFinetunes: Resource<SparseFinetune> = {
  group: 'sparsedm.io',
  version: 'v1alpha1',
  plural: 'sparsefinetunes',
  kind: 'SparseFinetune',
  namespaced: true,
};

export const sparseInferenceServices: Resource<SparseInferenceService> = {
  group: 'sparsedm.io',
  version: 'v1alpha1',
  plural: 'sparseinferenceservices',
  kind: 'SparseInferenceService',
  namespaced: true,
};

export const sparseStudies: Resource<SparseStudy> = {
  group: 'sparsedm.io',
  version: 'v1alpha1',
  plural: 'sparsestudies',
  kind: 'SparseStudy',
  namespaced: true,
};
