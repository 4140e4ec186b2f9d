/** Types and reasons of conditions. Trainer, Job and kubelet add failure reasons of their own. */

export const FINETUNE_CONDITIONS = [
  'JobReady',
  'Training',
  'Reporting',
  'QualityGatePassed',
  'Suspended',
  'Succeeded',
  'Finished',
] as const;
export type FinetuneCondition = (typeof FINETUNE_CONDITIONS)[number];

export const SERVICE_CONDITIONS = [
  'ModelReady',
  'QualityGatePassed',
  'DeploymentReady',
  'UpToDate',
  'ScalingActive',
  'Ready',
] as const;
export type ServiceCondition = (typeof SERVICE_CONDITIONS)[number];

export const STUDY_CONDITIONS = ['Suspended', 'Succeeded', 'Finished'] as const;
export type StudyCondition = (typeof STUDY_CONDITIONS)[number];

/** Present, and True, only while an object can't go on until a person acts. */
export const STALLED = 'Stalled';
/** Present, and True, only while a service's wanted version is being rolled out. */
export const RECONCILING = 'Reconciling';
/** Present only with spec.expose. */
export const EXPOSED = 'Exposed';
/** Present only with `gateway: Always` or `strategy: Canary`: whether requests reach the gateway as they have to. */
export const GATEWAY_READY = 'GatewayReady';
/** Present only while a service asks for children beside its Deployment and Service. */
export const CHILDREN_READY = 'ChildrenReady';

/** Present only with spec.qualityMonitor.maxDistanceIncreasePercent. */
export const QUALITY_MAINTAINED = 'QualityMaintained';

/** Present only with a bound of spec.acceptance that is named after the FID. */
export const MEASURES_FID = 'MeasuresFID';
/** Present, and False, only while a run leaves the cluster's GPUs unused. */
export const USES_GPU = 'UsesGPU';

export const REASONS = {
  nameConflict: 'NameConflict',
  kindMissing: 'KindMissing',
  applied: 'Applied',
  accepted: 'Accepted',
  waitingForController: 'WaitingForController',
  refused: 'Refused',
  podsRefused: 'PodsRefused',
  jobMissing: 'JobMissing',
  jobDeleting: 'JobDeleting',
  earlierPodRuns: 'EarlierPodRuns',
  podLost: 'PodLost',
  podEnding: 'PodEnding',
  nodeSilent: 'NodeSilent',
  sidecarRuns: 'SidecarRuns',
  jobCreated: 'JobCreated',
  waitingForPod: 'WaitingForPod',
  running: 'Running',
  fetching: 'Fetching',
  retrying: 'Retrying',
  suspended: 'Suspended',
  heldByOthers: 'HeldByOthers',
  queued: 'Queued',
  inadmissible: 'Inadmissible',
  deactivated: 'Deactivated',
  notSuspended: 'NotSuspended',
  succeeded: 'Succeeded',
  failed: 'Failed',
  inProgress: 'InProgress',
  resultsMissing: 'ResultsMissing',
  reportsArrive: 'ReportsArrive',
  noReports: 'NoReports',
  reportsElsewhere: 'ReportsElsewhere',
  waitingForReports: 'WaitingForReports',
  notTraining: 'NotTraining',
  noGate: 'NoGate',
  gatePassed: 'WithinBounds',
  gateFailed: 'OutOfBounds',
  succeededBeyondGate: 'GateFailed',
  figuresMissing: 'FiguresMissing',
  notMeasured: 'NotMeasured',
  measuresFid: 'IsFID',
  notFid: 'NotFID',
  noGpuAsked: 'NoGPUAsked',
  qualityDegraded: 'QualityDegraded',
  uriGiven: 'UriGiven',
  modelPinned: 'ModelPinned',
  finetuneNotFound: 'FinetuneNotFound',
  waitingForFinetune: 'WaitingForFinetune',
  finetuneFailed: 'FinetuneFailed',
  waitingForModel: 'WaitingForModel',
  updating: 'Updating',
  replacing: 'Replacing',
  canary: 'Canary',
  rolledBack: 'RolledBack',
  revisionNotFound: 'RevisionNotFound',
  paused: 'Paused',
  upToDate: 'UpToDate',
  olderImage: 'OlderImage',
  available: 'Available',
  scaledToZero: 'ScaledToZero',
  serving: 'Serving',
  replicasGiven: 'ReplicasGiven',
  loadMeasured: 'LoadMeasured',
  atMaximum: 'AtMaximum',
  kedaOff: 'KedaOff',
  scaledByOther: 'ScaledByOther',
  scalerFails: 'ScalerFails',
  waitingForScaler: 'WaitingForScaler',
  asleep: 'Asleep',
  waking: 'Waking',
  noGateway: 'NoGateway',
  throughGateway: 'ThroughGateway',
  finetuneReplaced: 'FinetuneReplaced',
  tooManyFailures: 'TooManyFailures',
  standsBy: 'StandsBy',
  switching: 'Switching',
} as const;
