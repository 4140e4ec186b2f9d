/** How the end-to-end tests use a cluster: kubectl as a person types it, and conditions awaited without sleeps. */
import { afterAll, beforeAll, onTestFailed } from 'vitest';
import { withForward } from '../../scripts/forward';
import { exec } from '../cluster/exec';

export function required(name: string): string {
  const value = process.env[name];
  if (!value)
    throw new Error(`${name} is not set: run these tests by npm run test:e2e, which prepares the cluster.`);
  return value;
}

export const kubectlCommand = () => JSON.parse(required('SPARSEDM_E2E_KUBECTL')) as [string, ...string[]];
export const operatorNamespace = () => required('SPARSEDM_E2E_NAMESPACE');

export function kubectl(args: readonly string[], input?: string): Promise<string> {
  const [command, ...leading] = kubectlCommand();
  return exec(command, [...leading, ...args], input === undefined ? {} : { input });
}

export async function get<T>(namespace: string, resource: string): Promise<T> {
  return JSON.parse(await kubectl(['-n', namespace, 'get', resource, '-o', 'json'])) as T;
}

export async function list<T>(namespace: string, resource: string, selector?: string): Promise<T[]> {
  const args = ['-n', namespace, 'get', resource, '-o', 'json', ...(selector ? ['-l', selector] : [])];
  return (JSON.parse(await kubectl(args)) as { items: T[] }).items;
}

export function apply(namespace: string, object: object): Promise<string> {
  return kubectl(['-n', namespace, 'apply', '--validate=strict', '-f', '-'], JSON.stringify(object));
}

/** Reads until `done` accepts the value; fails with the last one at the deadline. */
export async function until<T>(
  read: () => Promise<T>,
  done: (value: T) => boolean,
  what: string,
  timeoutMs = 120_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await read();
    if (done(value)) return value;
    if (performance.now() > deadline)
      throw new Error(`${what}: not within ${timeoutMs} ms; last: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** A namespace for this file alone, deleted at the end with everything in it. */
export function useNamespace(name: string): string {
  beforeAll(async () => {
    await kubectl(['delete', 'namespace', name, '--ignore-not-found', '--timeout=240s']);
    await kubectl(['create', 'namespace', name]);
    await kubectl(['label', 'namespace', name, 'pod-security.kubernetes.io/enforce=restricted']);
  });
  afterAll(async () => {
    // Of a pod that may take minutes to end, a namespace's deletion looks again after half of them, whatever it takes.
    const services = ['delete', 'sis', '--all', '--cascade=foreground', '--timeout=120s'];
    await kubectl(['-n', name, ...services]);
    await kubectl(['delete', 'namespace', name, '--ignore-not-found', '--timeout=120s']);
  });
  return name;
}

const EVENT_COLUMNS =
  'custom-columns=FIRST:.firstTimestamp,LAST:.lastTimestamp,N:.count,OBJECT:.involvedObject.name,REASON:.reason,MESSAGE:.message';

/** Prints the cluster's state when the current test fails: the reader of a CI log has no other way to see it. */
export function explainFailure(namespace: string): void {
  onTestFailed(async () => {
    const looks = [
      ['-n', namespace, 'get', 'sft,sis,job,deploy,pod,pvc', '-o', 'wide'],
      ['-n', namespace, 'get', 'sft,sis', '-o', 'yaml'],
      [
        '-n',
        namespace,
        'logs',
        '--prefix',
        '--tail=30',
        '-l',
        'app.kubernetes.io/managed-by=sparsedm-operator',
      ],
      ['-n', operatorNamespace(), 'logs', '--tail=60', '-l', 'app.kubernetes.io/name=sparsedm-operator'],
      // Last, because a log that is cut keeps its end: what was killed, restarted or not ready, and when.
      ['-n', namespace, 'get', 'events', '--sort-by=.lastTimestamp', '-o', EVENT_COLUMNS],
    ];
    for (const args of looks) console.error(await kubectl(args).catch(String));
  });
}

/** Keeps `kubectl port-forward` open while `use` runs. */
export function forward<T>(
  namespace: string,
  to: string,
  port: number,
  use: (url: string) => Promise<T>,
): Promise<T> {
  return withForward({ command: kubectlCommand() }, namespace, to, port, use);
}

export const fashionMnist = { format: 'fashion-mnist', uri: 'file:///opt/sparsedm/data/fashion-mnist' };

/** A distance of few images from the test images, which are a sixth of the training images. */
export const smallEvaluation = { samples: 16, steps: 4, dataset: fashionMnist };

/** A claim `models` for what the trainer writes. */
export function applyClaim(namespace: string, accessMode = 'ReadWriteOnce'): Promise<string> {
  return apply(namespace, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'models' },
    spec: { accessModes: [accessMode], resources: { requests: { storage: '1Gi' } } },
  });
}

/** Runs a command on the claim `models` to its end, as the user of somebody's notebook. */
export async function inNotebook(namespace: string, name: string, ...command: string[]): Promise<void> {
  await apply(namespace, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 1000,
        runAsGroup: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'notebook',
          image: required('SPARSEDM_TRAINER_IMAGE'),
          command,
          env: [{ name: 'HOME', value: '/tmp' }],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          volumeMounts: [{ name: 'models', mountPath: '/models' }],
        },
      ],
      volumes: [{ name: 'models', persistentVolumeClaim: { claimName: 'models' } }],
    },
  });
  const over = ['wait', `pod/${name}`, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=120s'];
  await kubectl(['-n', namespace, ...over]);
}

/** A SparseInferenceService of the finetune's name and result, once it is ready. */
export async function serve(namespace: string, name: string, steps: number): Promise<void> {
  await apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseInferenceService',
    metadata: { name },
    spec: { model: { finetuneRef: { name } }, engine: { steps } },
  });
  await kubectl(['-n', namespace, 'wait', `sis/${name}`, '--for=condition=Ready', '--timeout=180s']);
}

/** Requests images from the server at `url`. */
export function generate(url: string, body: object): Promise<Response> {
  return fetch(`${url}/v1/images/generations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/** The images of an answer, as PNG. */
export async function picturesOf(response: Response): Promise<Buffer[]> {
  const { data } = (await response.json()) as { data: { b64_json: string }[] };
  return data.map((picture) => Buffer.from(picture.b64_json, 'base64'));
}
