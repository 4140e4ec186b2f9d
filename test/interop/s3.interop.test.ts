/** A run whose weights, data and result lie on a real S3 server behind an authority of its own, and their service. */
import { beforeAll, expect, it } from 'vitest';
import type { SparseFinetune, SparseInferenceService } from '../../src/api/types';
import { isFinished } from '../../src/finetune/progress';
import {
  apply,
  applyClaim,
  explainFailure,
  forward,
  generate,
  get,
  inNotebook,
  kubectl,
  list,
  picturesOf,
  until,
  useNamespace,
} from '../e2e/cluster';
import { account, endpoint, s3Namespace } from './s3';

const namespace = useNamespace('interop-s3');
const weights = 'fashion-mnist-uvit-tiny.safetensors';

const client = (ca: string) => `
import pathlib, boto3
pathlib.Path("/tmp/ca.crt").write_text("""${ca}""")
s3 = boto3.client(
    "s3", endpoint_url="${endpoint}", verify="/tmp/ca.crt", region_name="us-east-1",
    aws_access_key_id="${account.AWS_ACCESS_KEY_ID}", aws_secret_access_key="${account.AWS_SECRET_ACCESS_KEY}",
)
`;

/** Runs Python with a client of the server. */
async function onServer(name: string, script: string): Promise<string> {
  const { data } = await get<{ data: Record<string, string> }>(s3Namespace, 'configmap/authority');
  await inNotebook(namespace, name, 'python', '-c', client(data['ca.crt'] ?? '') + script);
  return kubectl(['-n', namespace, 'logs', name]);
}

const sources = {
  credentials: [{ prefix: 's3://', secretName: 'bucket' }],
  cache: { claim: 'models' },
  trustedCA: { configMapName: 'authority' },
};

const read = () => get<SparseFinetune>(namespace, 'sft/shirts');

beforeAll(async () => {
  await applyClaim(namespace);
  const { data } = await get<{ data: object }>(s3Namespace, 'configmap/authority');
  await apply(namespace, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'authority' }, data });
  await apply(namespace, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'bucket' },
    stringData: { ...account, AWS_ENDPOINT_URL: endpoint, AWS_REGION: 'us-east-1' },
  });
  await onServer(
    'uploads',
    `
for bucket in ("inputs", "results"):
    s3.create_bucket(Bucket=bucket)
for file in pathlib.Path("/opt/sparsedm/data/fashion-mnist").iterdir():
    s3.upload_file(str(file), "inputs", f"fashion-mnist/{file.name}")
s3.upload_file("/opt/sparsedm/weights/${weights}", "inputs", "${weights}")
`,
  );
});

it('is trained from buckets into a bucket, also by a second pod after the first was killed', async () => {
  explainFailure(namespace);
  await apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseFinetune',
    metadata: { name: 'shirts' },
    spec: {
      model: { preset: 'fashion-mnist-uvit-tiny', pretrained: { uri: `s3://inputs/${weights}` } },
      dataset: { format: 'fashion-mnist', uri: 's3://inputs/fashion-mnist' },
      sources,
      training: { steps: 40, batchSize: 16, warmupSteps: 2 },
      checkpoint: { everySteps: 10 },
      evaluation: { samples: 32, steps: 4 },
      output: { uri: 's3://results/shirts' },
    },
  });
  const saved = (one: SparseFinetune) => (one.status?.checkpoint?.step ?? 0) >= 10;
  await until(read, saved, 'a checkpoint in the bucket', 240_000);
  const [pod] = await list<{ metadata: { name: string } }>(namespace, 'pods', 'sparsedm.io/finetune=shirts');
  const killed = pod?.metadata.name ?? '';
  await kubectl(['-n', namespace, 'delete', 'pod', killed, '--grace-period=0', '--force']);
  const { status } = await until(read, isFinished, 'the end of training', 300_000);
  expect(status?.phase).toBe('Succeeded');
  expect(status?.attempts?.resumedFromStep).toBeGreaterThanOrEqual(10);
  expect(status?.sources?.map(({ uri }) => uri)).toEqual(
    expect.arrayContaining([`s3://inputs/${weights}`, 's3://inputs/fashion-mnist']),
  );
  const files = await onServer(
    'looks',
    `
for item in s3.list_objects_v2(Bucket="results", Prefix="shirts/")["Contents"]:
    print(item["Key"])
print("uploads", len(s3.list_multipart_uploads(Bucket="results").get("Uploads", [])))
`,
  );
  expect(files).toContain('shirts/manifest.json');
  expect(files).toContain('shirts/model.safetensors');
  expect(files).toContain('uploads 0');
});

it('is served from the bucket', async () => {
  explainFailure(namespace);
  await apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseInferenceService',
    metadata: { name: 'shirts' },
    spec: { model: { finetuneRef: { name: 'shirts' } }, sources, engine: { steps: 8 } },
  });
  await kubectl(['-n', namespace, 'wait', 'sis/shirts', '--for=condition=Ready', '--timeout=240s']);
  const { status } = await get<SparseInferenceService>(namespace, 'sis/shirts');
  const trained = await read();
  expect(status?.model?.sha256).toBe(trained.status?.model?.sha256);
  await forward(namespace, 'svc/shirts', 80, async (url) => {
    const response = await generate(url, { prompt: 'a photo of a shirt', seed: 1 });
    expect(response.status).toBe(200);
    expect(await picturesOf(response)).toHaveLength(1);
  });
});

it('says in a sentence that a Secret is not taken, and repeats nothing of it', async () => {
  explainFailure(namespace);
  await apply(namespace, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'wrong' },
    stringData: { ...account, AWS_SECRET_ACCESS_KEY: 'not-the-one', AWS_ENDPOINT_URL: endpoint },
  });
  const { spec } = await read();
  await apply(namespace, {
    apiVersion: 'sparsedm.io/v1alpha1',
    kind: 'SparseFinetune',
    metadata: { name: 'refused' },
    spec: {
      ...spec,
      sources: { ...sources, credentials: [{ prefix: 's3://', secretName: 'wrong' }], cache: undefined },
      output: { uri: 's3://results/refused' },
    },
  });
  const refused = await until(
    () => get<SparseFinetune>(namespace, 'sft/refused'),
    isFinished,
    'its end',
    240_000,
  );
  expect(refused.status?.phase).toBe('Failed');
  const text = JSON.stringify(refused.status);
  expect(text).toContain('Secret wrong');
  expect(text).not.toContain('not-the-one');
});
