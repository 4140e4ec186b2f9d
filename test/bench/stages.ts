/** What kwok simulates: ready nodes, and pods that run and then succeed with a trainer's termination message. */
import { stringify } from 'yaml';

/** Run time of a pod in milliseconds: long enough to observe every state of a run. */
const runMs = 2_000;

/** A trainer's termination message after success. */
const lastWord = {
  sparsity: {
    pattern: '2:4',
    target: '0.5',
    achieved: '0.5',
    maskedParameters: 520_192,
    totalParameters: 1_070_000,
    maskedLayers: 22,
    skippedLayers: 0,
    compliant: true,
  },
  macs: {
    convention: 'linear',
    dense: 69_470_000,
    sparse: 34_870_000,
    totalDense: 75_050_000,
    totalSparse: 40_440_000,
    reductionPercent: '49.8',
  },
  fid: {
    metric: 'fd-fashion-mnist-cnn',
    samples: 500,
    dense: '11.29',
    sparse: '17.29',
    increase: '6.00',
    seed: 0,
    sampler: 'dpm-solver++',
    steps: 20,
    guidance: '0.5',
    rankDeficient: true,
  },
  model: {
    uri: 'pvc://models/run',
    sha256: 'b'.repeat(64),
    sizeBytes: 4_300_000,
    manifestUri: 'pvc://models/run/manifest.json',
    sampleGridUri: 'pvc://models/run/samples.png',
  },
  checkpoint: {
    uri: 'pvc://models/run/checkpoints/step-00000300',
    step: 300,
    maskDigest: `sha256:${'c'.repeat(64)}`,
  },
};

const now = '{{ Now | Quote }}';
const container = `name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  restartCount: 0`;

const ready = `conditions:
- { type: Ready, status: "True", reason: KubeletReady, lastHeartbeatTime: ${now}, lastTransitionTime: ${now} }
`;

const running = `phase: Running
startTime: ${now}
conditions:
- { type: Initialized, status: "True", lastTransitionTime: ${now} }
- { type: Ready, status: "True", lastTransitionTime: ${now} }
- { type: ContainersReady, status: "True", lastTransitionTime: ${now} }
containerStatuses:
{{ range .spec.containers }}
- ${container}
  ready: true
  started: true
  state: { running: { startedAt: ${now} } }
{{ end }}
`;

const succeeded = `phase: Succeeded
containerStatuses:
{{ range .spec.containers }}
- ${container}
  ready: false
  started: false
  state:
    terminated:
      exitCode: 0
      reason: Completed
      startedAt: ${now}
      finishedAt: ${now}
      message: '${JSON.stringify(lastWord)}'
{{ end }}
`;

type Expression = { key: string; operator: 'In' | 'NotIn' | 'DoesNotExist'; values?: string[] };

function stage(
  name: string,
  kind: string,
  matchExpressions: Expression[],
  statusTemplate: string,
  delayMs?: number,
) {
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name },
    spec: {
      resourceRef: { apiGroup: 'v1', kind },
      selector: { matchExpressions },
      ...(delayMs === undefined ? {} : { delay: { durationMilliseconds: delayMs } }),
      next: { statusTemplate },
    },
  };
}

const alive: Expression = { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' };
const inPhase = (phase: string): Expression => ({ key: '.status.phase', operator: 'In', values: [phase] });
const notReady: Expression = {
  key: '.status.conditions.[] | select( .type == "Ready" ) | .status',
  operator: 'NotIn',
  values: ['True'],
};

/** kwok's configuration file. */
export function kwokConfig(): string {
  return [
    stage('node-ready', 'Node', [notReady], ready),
    stage('pod-running', 'Pod', [alive, inPhase('Pending')], running),
    stage('pod-succeeded', 'Pod', [alive, inPhase('Running')], succeeded, runMs),
  ]
    .map((document) => stringify(document))
    .join('---\n');
}
