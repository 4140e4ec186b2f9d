/** The schema against the real API server: what it refuses, in which words, and which defaults it fills in. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import {
  sparseFinetunes,
  sparseInferenceServices,
  sparseStudies,
  type SparseFinetune,
  type SparseInferenceService,
} from '../../src/api/types';
import { ApiError } from '../../src/runtime/errors';
import { collectionPath, objectPath, type KubeObject, type Resource } from '../../src/runtime/objects';
import { eventually, openApiServer, type ApiServer } from './harness';
import { finetune, OUTPUT, service, study, type Changes } from './specs';

let server: ApiServer;
beforeAll(async () => {
  server = await openApiServer();
});
afterAll(() => server.close());

/** As `kubectl apply --dry-run=server` sends it; returns the object as it would be stored. */
function tryCreate<T extends KubeObject>(resource: Resource<T>, object: T, dryRun = true): Promise<T> {
  return server.transport.request<T>({
    method: 'POST',
    path: collectionPath(resource, server.namespace),
    query: { fieldValidation: 'Strict', fieldManager: 'test', ...(dryRun ? { dryRun: 'All' } : {}) },
    body: object,
  });
}

async function refusal(attempt: Promise<unknown>): Promise<string> {
  const error: unknown = await attempt.then(
    () => new Error('the API server accepted it'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ApiError)) throw error;
  return error.message;
}

const digest = 'a'.repeat(64);
const config = { imageSize: 32, patchSize: 4, channels: 1, width: 128, depth: 5, heads: 4 };
const ownConfig = (changes: Changes) => ({ model: { preset: undefined, config: { ...config, ...changes } } });
const stages = [
  { pattern: '3:4', steps: 100 },
  { pattern: '2:4', steps: 200 },
];
const custom = (changes: Changes) => ({ sparsity: { schedule: { type: 'custom', stages, ...changes } } });
const cpuMetric = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
};
const perPod = (target: object) => ({ type: 'Pods', pods: { metric: { name: 'queue' }, target } });
const node = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } };

type Bad = [says: string, change: Changes, field: string, remedy: string];

describe('a SparseFinetune is refused', () => {
  it.each<Bad>([
    ['both preset and config', { model: { config } }, 'spec.model', 'write exactly one of model.preset'],
    [
      'an unknown preset',
      { model: { preset: 'tiny' } },
      'spec.model.preset',
      'supported values: "fashion-mnist-uvit-tiny"',
    ],
    [
      'an unknown architecture',
      { model: { architecture: 'gan' } },
      'spec.model.architecture',
      'supported values: "uvit", "unet", "dit", "diffusers", "pipeline"',
    ],
    [
      'text and classes',
      ownConfig({ contextTokens: 77, contextWidth: 768, numClasses: 10 }),
      'spec.model.config.contextTokens',
      'or classes (numClasses): write one of them',
    ],
    [
      'an autoencoder by name',
      { dataset: { format: 'mscoco256-features' }, evaluation: { autoencoderUri: 'stabilityai/sd-vae' } },
      'spec.evaluation.autoencoderUri',
      'write pvc://CLAIM/PATH',
    ],
    [
      'a text encoder by name',
      { model: { textEncoderUri: 'openai/clip-vit-large-patch14' } },
      'spec.model.textEncoderUri',
      'write pvc://CLAIM/PATH',
    ],
    [
      'an extractor of unknown format',
      { evaluation: { extractorUri: 'pvc://tools/inception.onnx' } },
      'spec.evaluation.extractorUri',
      'give the path of a .safetensors file',
    ],
    [
      'statistics that are no npz',
      { evaluation: { referenceStatsUri: 'pvc://tools/cifar10.pkl' } },
      'spec.evaluation.referenceStatsUri',
      'give the path of an .npz file',
    ],
    [
      'an unknown sampler',
      { evaluation: { sampler: 'euler' } },
      'spec.evaluation.sampler',
      'supported values: "dpm-solver++", "ddim", "euler-maruyama"',
    ],
    [
      'no weights',
      { model: { pretrained: undefined } },
      'spec.model.pretrained',
      'or initialization: random to train a dense model from none',
    ],
    [
      'weights by plain http',
      { model: { pretrained: { uri: 'http://host/x.safetensors' } } },
      'spec.model.pretrained.uri',
      's3://BUCKET/PATH, gs://BUCKET/PATH, https://HOST/PATH, hf://OWNER/REPO',
    ],
    [
      'a password in a URI',
      { dataset: { uri: 'https://me:secret@host/data.tar' } },
      'spec.dataset.uri',
      'https://HOST/PATH',
    ],
    [
      'a signed URL',
      { dataset: { uri: 'https://host/data.tar?X-Amz-Signature=1' } },
      'spec.dataset.uri',
      "neither '..' nor '//', '?' or '#'",
    ],
    [
      'an artifact without a tag',
      { dataset: { uri: 'oci://ghcr.io/team/data' } },
      'spec.dataset.uri',
      'oci://REGISTRY/REPOSITORY:TAG',
    ],
    ['a hub without a repository', { dataset: { uri: 'hf://owner' } }, 'spec.dataset.uri', 'hf://OWNER/REPO'],
    [
      'credentials for a scheme that needs none',
      { sources: { credentials: [{ prefix: 'pvc://data', secretName: 'x' }] } },
      'spec.sources.credentials[0].prefix',
      'write the beginning of a URI of s3, gs, https, hf or oci',
    ],
    [
      'a Secret that can have no such name',
      { sources: { credentials: [{ prefix: 's3://', secretName: 'My_Secret' }] } },
      'spec.sources.credentials[0].secretName',
      'write the name of a Secret',
    ],
    [
      'a cache that is no claim',
      { sources: { cache: { claim: '/cache' } } },
      'spec.sources.cache.claim',
      'write the name of a volume claim',
    ],
    [
      'an authority in no ConfigMap',
      { sources: { trustedCA: { configMapName: 'Corporate CA' } } },
      'spec.sources.trustedCA.configMapName',
      'write the name of a ConfigMap',
    ],
    [
      'an authority under no key',
      { sources: { trustedCA: { configMapName: 'ca', key: '../ca' } } },
      'spec.sources.trustedCA.key',
      'write a key of the ConfigMap',
    ],
    [
      'weights by a pickle',
      { model: { pretrained: { uri: 'pvc://data/x.ckpt' } } },
      'spec.model.pretrained.uri',
      'give the path of a .safetensors file, or of a .pth',
    ],
    [
      'mirrored latents',
      {
        dataset: { format: 'imagenet256-features', horizontalFlip: true },
        evaluation: { autoencoderUri: 'pvc://data/vae' },
      },
      'spec.dataset.horizontalFlip',
      'this format holds none: remove it',
    ],
    [
      'a claim without a path',
      { model: { pretrained: { uri: 'pvc://data' } } },
      'spec.model.pretrained.uri',
      'write pvc://CLAIM/PATH',
    ],
    [
      'a path that leaves its folder',
      { model: { pretrained: { uri: 'pvc://data/../x.safetensors' } } },
      'spec.model.pretrained.uri',
      "neither '..'",
    ],
    [
      'a query in a path',
      { model: { pretrained: { uri: 'pvc://data/x.safetensors?v=1' } } },
      'spec.model.pretrained.uri',
      "'?'",
    ],
    ['a fragment in a path', { dataset: { uri: 'pvc://data/a#b' } }, 'spec.dataset.uri', "'#'"],
    ['a double slash in a path', { dataset: { uri: 'pvc://data//a' } }, 'spec.dataset.uri', "'//'"],
    [
      'a digest that is none',
      { model: { pretrained: { sha256: 'abc' } } },
      'spec.model.pretrained.sha256',
      'write the 64 lower-case hexadecimal digits',
    ],
    [
      'a flow without a velocity',
      ownConfig({ noiseProcess: { kind: 'rectified-flow' } }),
      'spec.model.config.prediction',
      'write both or neither',
    ],
    [
      'all labels dropped',
      ownConfig({ numClasses: 10, labelDropout: '1' }),
      'spec.model.config.labelDropout',
      'a decimal from 0 to below 1',
    ],
    [
      'a cosine with ends',
      ownConfig({
        noiseProcess: { kind: 'discrete-betas', betaSchedule: 'cosine', betaStart: '0.1', betaEnd: '0.2' },
      }),
      'spec.model.config.noiseProcess.betaSchedule',
      'must be absent for cosine',
    ],
    [
      'a beta of 1',
      ownConfig({
        noiseProcess: { kind: 'discrete-betas', betaSchedule: 'linear', betaStart: '0.1', betaEnd: '1' },
      }),
      'spec.model.config.noiseProcess.betaEnd',
      'above 0 and below 1',
    ],
    [
      'a head of no width',
      ownConfig({ headWidth: 0 }),
      'spec.model.config.headWidth',
      'greater than or equal to 1',
    ],
    [
      'an unknown prediction',
      ownConfig({ prediction: 'x0' }),
      'spec.model.config.prediction',
      'supported values: "noise", "v"',
    ],
    ['an unknown data format', { dataset: { format: 'mnist' } }, 'spec.dataset.format', 'supported values'],
    [
      'a column of classes without a name',
      { dataset: { format: 'image-folder', classColumn: '' } },
      'spec.dataset.classColumn',
      'should be at least 1 chars long',
    ],
    [
      'a pattern with N above M',
      { sparsity: { pattern: '4:2' } },
      'spec.sparsity.pattern',
      '1 <= N < M <= 32',
    ],
    [
      'a pattern with N equal to M',
      { sparsity: { pattern: '4:4' } },
      'spec.sparsity.pattern',
      '1 <= N < M <= 32',
    ],
    [
      'a pattern with M above 32',
      { sparsity: { pattern: '2:33' } },
      'spec.sparsity.pattern',
      '1 <= N < M <= 32',
    ],
    ['a pattern with N of 0', { sparsity: { pattern: '0:4' } }, 'spec.sparsity.pattern', 'written "N:M"'],
    ['a pattern in words', { sparsity: { pattern: 'half' } }, 'spec.sparsity.pattern', 'written "N:M"'],
    [
      'an unknown method',
      { sparsity: { method: 'magic' } },
      'spec.sparsity.method',
      'supported values: "sparsedm"',
    ],
    [
      'pods that can not share a batch',
      { training: { batchSize: 10 }, trainer: { nodes: 3 } },
      'spec.trainer.nodes',
      'must be a multiple of trainer.nodes',
    ],
    [
      'a mount of no volume',
      { trainer: { volumes: [], volumeMounts: [{ name: 'lost', mountPath: '/etc/lost' }] } },
      'spec.trainer.volumeMounts',
      'needs a volume of its name in volumes',
    ],
    [
      "a volume of the operator's name",
      { trainer: { volumes: [{ name: 'claim-0', emptyDir: {} }] } },
      'spec.trainer.volumes[0].name',
      "are the operator's own volumes: choose another name",
    ],
    [
      'a volume of no kind',
      { trainer: { volumes: [{ name: 'nothing' }] } },
      'spec.trainer.volumes[0]',
      'write exactly one of configMap, secret',
    ],
    [
      'a mount over the claims',
      {
        trainer: {
          volumes: [{ name: 'x', emptyDir: {} }],
          volumeMounts: [{ name: 'x', mountPath: '/mnt/pvc/data' }],
        },
      },
      'spec.trainer.volumeMounts[0].mountPath',
      'choose another path, for example /etc/settings',
    ],
    [
      'variables from two places at once',
      { trainer: { envFrom: [{ secretRef: { name: 'a' }, configMapRef: { name: 'b' } }] } },
      'spec.trainer.envFrom[0]',
      'write exactly one of secretRef and configMapRef',
    ],
    [
      'a root user',
      { trainer: { securityContext: { runAsUser: 0 } } },
      'runAsUser',
      'greater than or equal to 1',
    ],
    [
      'a queue that can not exist',
      { queueName: 'Team A' },
      'spec.queueName',
      'write the name of a LocalQueue',
    ],
    [
      'an unknown type of mask',
      { sparsity: { maskType: 'gradient' } },
      'spec.sparsity.maskType',
      'supported values: "magnitude", "random", "fixed", "wanda", "obs", "energy"',
    ],
    [
      'a threshold without magnitudes',
      { sparsity: { method: 's-ste', maskType: 'random' } },
      'spec.sparsity.maskType',
      'write maskType: magnitude',
    ],
    [
      'a type of mask where nothing is masked',
      { sparsity: { method: 'dense', maskType: 'fixed' } },
      'spec.sparsity.maskType',
      'write maskType: magnitude',
    ],
    [
      'updates of a mask every 0 steps',
      { sparsity: { maskUpdateSteps: 0 } },
      'spec.sparsity.maskUpdateSteps',
      'write a whole number from 1 to 1000000',
    ],
    [
      'calibration on nothing',
      { sparsity: { maskType: 'wanda', calibrationSamples: 0 } },
      'spec.sparsity.calibrationSamples',
      'write a whole number from 1 to 1000000',
    ],
    [
      'a decay below 0',
      { sparsity: { method: 'cast', l1Decay: '-1' } },
      'spec.sparsity.l1Decay',
      'a decimal from 0 to 1000 in quotes',
    ],
    [
      'an unknown family of patterns',
      { sparsity: { schedule: { family: 'halves' } } },
      'spec.sparsity.schedule.family',
      'supported values: "linear", "doubling"',
    ],
    [
      'a stage of a wrong pattern',
      custom({ stages: [{ pattern: '9:8', steps: 100 }, stages[1]] }),
      'spec.sparsity.schedule.stages[0].pattern',
      '1 <= N < M <= 32',
    ],
    [
      'a ramp over all steps',
      { sparsity: { schedule: { rampPercent: 100 } } },
      'spec.sparsity.schedule.rampPercent',
      'write a whole number from 1 to 99',
    ],
    [
      'a regression without measure',
      { sparsity: { schedule: { onRegression: 'Stop', maxRegressionPercent: 1001 } } },
      'spec.sparsity.schedule.maxRegressionPercent',
      'write a whole number from 0 to 1000',
    ],
    [
      'another reaction to a regression',
      { sparsity: { schedule: { onRegression: 'Retry' } } },
      'spec.sparsity.schedule.onRegression',
      '"Continue", "RollBack", "Stop"',
    ],
    [
      'a freeze above 100 %',
      { sparsity: { schedule: { freezeMaskPercent: 101 } } },
      'spec.sparsity.schedule.freezeMaskPercent',
      'write a whole number from 0 to 100',
    ],
    [
      'a glob with spaces',
      { sparsity: { layers: { include: ['* attn'] } } },
      'spec.sparsity.layers.include[0]',
      'a glob over module names holds',
    ],
    [
      'an empty list of layers',
      { sparsity: { layers: { include: [] } } },
      'spec.sparsity.layers.include',
      'at least 1 item',
    ],
    [
      'a negative lambda',
      { sparsity: { regularization: '-1' } },
      'spec.sparsity.regularization',
      'a decimal from 0 to 100 in quotes',
    ],
    [
      'a lambda that is a number',
      { sparsity: { regularization: 0.1 } },
      'spec.sparsity.regularization',
      'must be of type string',
    ],
    [
      'an alpha in words',
      { sparsity: { distillationWeight: 'much' } },
      'spec.sparsity.distillationWeight',
      'a decimal from 0 to 100 in quotes',
    ],
    [
      'no steps',
      { training: { steps: 0, warmupSteps: 0 } },
      'spec.training.steps',
      'greater than or equal to 1',
    ],
    [
      'a learning rate of 0',
      { training: { learningRate: '0' } },
      'spec.training.learningRate',
      'a decimal above 0 and at most 1',
    ],
    [
      'an EMA that never learns',
      { training: { emaDecay: '1.0' } },
      'spec.training.emaDecay',
      'a decimal from 0 to 0.9999999',
    ],
    ['one beta', { training: { betas: ['0.9'] } }, 'spec.training.betas', 'at least 2 items'],
    [
      'a beta of 1',
      { training: { betas: ['0.9', '1'] } },
      'spec.training.betas[1]',
      'a decimal from 0 to 0.99999',
    ],
    [
      'an unknown precision',
      { training: { precision: 'fp8' } },
      'spec.training.precision',
      'supported values: "fp32", "bf16", "fp16"',
    ],
    [
      'an unknown course of the learning rate',
      { training: { learningRateSchedule: 'linear' } },
      'spec.training.learningRateSchedule',
      'supported values: "constant", "cosine"',
    ],
    [
      'no batch in a step',
      { training: { gradientAccumulationSteps: 0 } },
      'spec.training.gradientAccumulationSteps',
      'greater than or equal to 1',
    ],
    [
      'checkpointing in words',
      { training: { gradientCheckpointing: 'yes' } },
      'spec.training.gradientCheckpointing',
      'must be of type boolean',
    ],
    [
      'compiling in words',
      { training: { compile: 'auto' } },
      'spec.training.compile',
      'must be of type boolean',
    ],
    [
      'another way to share a model',
      { training: { sharding: 'zero' } },
      'spec.training.sharding',
      'supported values: "none", "fsdp"',
    ],
    [
      'an optimizer that nobody knows',
      { training: { optimizer: 'sgd' } },
      'spec.training.optimizer',
      'supported values: "adamw", "adafactor"',
    ],
    ['a negative seed', { training: { seed: -1 } }, 'spec.training.seed', 'greater than or equal to 0'],
    ['one sample', { evaluation: { samples: 1 } }, 'spec.evaluation.samples', 'greater than or equal to 2'],
    [
      'guidance below 0',
      { evaluation: { guidance: '-0.5' } },
      'spec.evaluation.guidance',
      'a decimal from 0 to 20 in quotes',
    ],
    [
      'a gate beside no dense model',
      {
        model: { initialization: 'random', pretrained: undefined },
        sparsity: { method: 'dense' },
        acceptance: { maxFidIncrease: '9' },
      },
      'spec.acceptance',
      'a run from random weights has none beside it: remove acceptance',
    ],
    ['an empty gate', { acceptance: {} }, 'spec.acceptance', 'an empty gate accepts everything'],
    [
      'a gate in words',
      { acceptance: { maxFidIncrease: 'little' } },
      'spec.acceptance.maxFidIncrease',
      'in quotes, for example "2.5"',
    ],
    ['no output', { output: undefined }, 'spec.output', 'Required value'],
    [
      'a bucket for several pods',
      { output: { uri: 's3://models/run' }, trainer: { nodes: 2 } },
      'spec.output.uri',
      'an output in a bucket or a registry is mirrored by one pod',
    ],
    [
      'an artifact without a tag for the output',
      { output: { uri: `oci://ghcr.io/team/shirts@sha256:${digest}` } },
      'spec.output.uri',
      'oci://REGISTRY/REPOSITORY:TAG',
    ],
    [
      'output inside the image',
      { output: { uri: 'file:///tmp/x' } },
      'spec.output.uri',
      'results outlive the pod only in a volume claim',
    ],
    [
      'a variable of the operator',
      { trainer: { env: [{ name: 'SPARSEDM_RUN', value: 'x' }] } },
      'spec.trainer.env[0].name',
      'choose another name',
    ],
    [
      'a variable with two values',
      { trainer: { env: [{ name: 'A', value: 'x', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] } },
      'spec.trainer.env[0]',
      'write exactly one of value and valueFrom',
    ],
    [
      'a label of the operator',
      { trainer: { podLabels: { 'sparsedm.io/finetune': 'x' } } },
      'spec.trainer.podLabels',
      'choose another prefix',
    ],
    [
      'an image with spaces',
      { trainer: { image: 'my image' } },
      'spec.trainer.image',
      'written registry/name:tag',
    ],
    [
      'a quantity that is none',
      { trainer: { resources: { limits: { cpu: 'two' } } } },
      'spec.trainer.resources.limits[cpu]',
      'a quantity is a number of at least 0',
    ],
    [
      'an affinity without terms',
      { trainer: { affinity: { nodeAffinity: node } } },
      'spec.trainer.affinity',
      'at least 1 item',
    ],
    ['a backoff limit below 0', { backoffLimit: -1 }, 'spec.backoffLimit', 'greater than or equal to 0'],
    [
      'a deadline of 0',
      { activeDeadlineSeconds: 0 },
      'spec.activeDeadlineSeconds',
      'greater than or equal to 1',
    ],
    ['a field nobody knows', { training: { epochs: 3 } }, 'spec.training.epochs', 'unknown field'],
    ['a field of another version', { study: 'q' }, 'spec.study', 'unknown field'],
  ])('%s', async (_, change, field, remedy) => {
    const message = await refusal(tryCreate(sparseFinetunes, finetune('bad', server.namespace, change)));
    expect(message).toContain(field);
    expect(message).toContain(remedy);
    expect(message).not.toMatch(/no such key|evaluating rule|cost/);
  });

  it.each([
    ['1abc', 'start with a letter'],
    ['a.b', 'lower-case letters, digits'],
    ['a'.repeat(53), 'at most 52 characters'],
  ])('by its name %s', async (name, remedy) => {
    const message = await refusal(tryCreate(sparseFinetunes, finetune(name, server.namespace)));
    expect(message).toContain('metadata.name');
    expect(message).toContain(remedy);
  });
});

describe('a SparseInferenceService is refused', () => {
  const reference = { uri: undefined, finetuneRef: { name: 'shirts' } };
  it.each<Bad>([
    ['no model', { model: { uri: undefined } }, 'spec.model', 'write exactly one of model.finetuneRef'],
    [
      'two models',
      { model: { finetuneRef: { name: 'shirts' } } },
      'spec.model',
      'write exactly one of model.finetuneRef',
    ],
    ['following a uri', { model: { follow: true } }, 'spec.model', 'model.follow follows a SparseFinetune'],
    [
      'a model inside the image',
      { model: { uri: 'file:///opt/x' } },
      'spec.model.uri',
      'write pvc://CLAIM/PATH',
    ],
    [
      'a signed URL of a model',
      { model: { uri: 'https://host/model.tar?X-Amz-Signature=1' } },
      'spec.model.uri',
      "neither '..' nor '//', '?' or '#'",
    ],
    [
      'a model whose path leaves its folder',
      { model: { uri: 'pvc://models/../x' } },
      'spec.model.uri',
      "neither '..'",
    ],
    [
      'a reference that is no name',
      { model: { uri: undefined, finetuneRef: { name: 'A_b' } } },
      'spec.model.finetuneRef.name',
      'write the name of a SparseFinetune',
    ],
    [
      'an unknown backend',
      { engine: { backend: 'cuda' } },
      'spec.engine.backend',
      'supported values: "auto", "dense", "cusparselt", "cutlass"',
    ],
    [
      'CUTLASS in 32 bits',
      { engine: { backend: 'cutlass', precision: 'fp32' } },
      'spec.engine.precision',
      'write precision: bf16 or fp16',
    ],
    [
      'cuSPARSELt in 32 bits',
      { engine: { backend: 'cusparselt', precision: 'fp32' } },
      'spec.engine.precision',
      'write precision: bf16 or fp16',
    ],
    ['a sampler without steps', { engine: { steps: 0 } }, 'spec.engine.steps', 'greater than or equal to 1'],
    [
      'guidance in words',
      { engine: { guidance: 'strong' } },
      'spec.engine.guidance',
      'a decimal from 0 to 20 in quotes',
    ],
    [
      'an end without time',
      { server: { terminationGracePeriodSeconds: 5 } },
      'spec.server.terminationGracePeriodSeconds',
      'greater than or equal to 30',
    ],
    [
      'a delay for a batch of one',
      { engine: { maxBatchSize: 1, maxBatchDelayMilliseconds: 50 } },
      'spec.engine.maxBatchDelayMilliseconds',
      'remove maxBatchDelayMilliseconds',
    ],
    [
      'fewer steps at most than by default',
      { engine: { steps: 30, maxSteps: 20 } },
      'spec.engine.maxSteps',
      'raise engine.maxSteps to at least that, or lower engine.steps',
    ],
    ['no steps at all', { engine: { maxSteps: 0 } }, 'spec.engine.maxSteps', 'greater than or equal to 1'],
    [
      'bytes that are a little equal',
      { engine: { deterministic: 'mostly' } },
      'spec.engine.deterministic',
      'must be of type boolean',
    ],
    [
      'a page as an origin',
      { engine: { corsAllowedOrigins: ['https://shop.example.com/cart'] } },
      'spec.engine.corsAllowedOrigins[0]',
      'an origin is a scheme, a host and, where it is not the default one, a port, without a path',
    ],
    ['a queue for nobody', { engine: { maxQueue: 0 } }, 'spec.engine.maxQueue', 'greater than or equal to 1'],
    [
      'a speed-up of no speed-up',
      { qualityGate: { minSpeedup: '1.0' } },
      'spec.qualityGate.minSpeedup',
      'minSpeedup is a decimal above 1',
    ],
    [
      'a speed-up of dense products',
      { engine: { backend: 'dense' }, qualityGate: { minSpeedup: '1.2' } },
      'spec.qualityGate',
      'backend dense has no speed-up',
    ],
    [
      'what to do below no bound',
      { qualityGate: { maxFidIncrease: '1', onSlow: 'Refuse' } },
      'spec.qualityGate.onSlow',
      'write minSpeedup, or remove onSlow',
    ],
    [
      'another end of a slow engine',
      { qualityGate: { minSpeedup: '1.2', onSlow: 'Ignore' } },
      'spec.qualityGate.onSlow',
      'supported values: "Fallback", "Refuse"',
    ],
    [
      'a digest for a finetune',
      { model: { ...reference, sha256: 'a'.repeat(64) } },
      'spec.model',
      'model.sha256 belongs to model.uri',
    ],
    [
      'a digest of another kind',
      { model: { uri: 'pvc://a/b', sha256: 'A'.repeat(64) } },
      'spec.model.sha256',
      '64 lower-case hexadecimal digits',
    ],
    [
      'an empty gate',
      { model: reference, qualityGate: {} },
      'spec.qualityGate',
      'an empty gate accepts everything',
    ],
    ['fewer than no replicas', { replicas: -1 }, 'spec.replicas', 'greater than or equal to 0'],
    [
      'two ways from outside',
      { expose: { ingress: { host: 'a.example.com' }, httpRoute: { parentRefs: [{ name: 'edge' }] } } },
      'spec.expose',
      'write exactly one of expose.httpRoute',
    ],
    ['no way from outside', { expose: {} }, 'spec.expose', 'or remove expose'],
    [
      'a route without a Gateway',
      { expose: { httpRoute: { parentRefs: [] } } },
      'spec.expose.httpRoute.parentRefs',
      'at least 1 items',
    ],
    [
      'a host with a scheme',
      { expose: { ingress: { host: 'https://a.example.com' } } },
      'spec.expose.ingress.host',
      'for example images.example.com',
    ],
    [
      'a time-out without a unit',
      { expose: { httpRoute: { parentRefs: [{ name: 'edge' }], timeouts: { request: '600' } } } },
      'spec.expose.httpRoute.timeouts.request',
      'for example 600s',
    ],
    [
      'a peer that is two things',
      { networkPolicy: { from: [{ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }] } },
      'spec.networkPolicy.from[0]',
      'write ipBlock, or podSelector and namespaceSelector',
    ],
    [
      'a range that is none',
      { networkPolicy: { to: [{ ipBlock: { cidr: '10.0.0.0' } }] } },
      'spec.networkPolicy.to[0].ipBlock.cidr',
      'for example 10.0.0.0/8',
    ],
    [
      'a least number of places for a soft spread',
      {
        server: {
          topologySpreadConstraints: [
            { topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway', minDomains: 2 },
          ],
        },
      },
      'spec.server.topologySpreadConstraints[0].minDomains',
      'needs whenUnsatisfiable: DoNotSchedule',
    ],
    [
      'two budgets',
      { podDisruptionBudget: { maxUnavailable: 1, minAvailable: 1 } },
      'spec.podDisruptionBudget',
      'write exactly one of',
    ],
    ['an empty budget', { podDisruptionBudget: {} }, 'spec.podDisruptionBudget', 'write exactly one of'],
    [
      'a budget that no drain passes',
      { podDisruptionBudget: { maxUnavailable: 0 } },
      'spec.podDisruptionBudget.maxUnavailable',
      'no node could ever be drained',
    ],
    [
      'a budget in words',
      { podDisruptionBudget: { minAvailable: 'half' } },
      'spec.podDisruptionBudget.minAvailable',
      '0% to 99%',
    ],
    ['scaling without an end', { scaling: {} }, 'spec.scaling', 'write scaling.maxReplicas'],
    [
      'scaling to zero, where nothing wakes a service',
      { scaling: { engine: 'none', minReplicas: 0, maxReplicas: 3 } },
      'spec.scaling.minReplicas',
      'write engine: builtin or keda',
    ],
    [
      'idleness of a service that never sleeps',
      { scaling: { maxReplicas: 3, idleSeconds: 60 } },
      'spec.scaling.idleSeconds',
      'write minReplicas: 0',
    ],
    ['a gateway at times', { gateway: 'Sometimes' }, 'spec.gateway', 'supported values'],
    [
      'a least number above the most',
      { scaling: { minReplicas: 4, maxReplicas: 3 } },
      'spec.scaling.minReplicas',
      'more than scaling.maxReplicas',
    ],
    [
      'no replicas at most',
      { scaling: { maxReplicas: 0 } },
      'spec.scaling.maxReplicas',
      'greater than or equal to 1',
    ],
    [
      'an autoscaler that does not exist',
      { scaling: { engine: 'vpa', maxReplicas: 3 } },
      'spec.scaling.engine',
      'supported values: "builtin", "keda", "hpa", "none"',
    ],
    [
      'sleep under an autoscaler that rests at zero',
      { scaling: { engine: 'hpa', minReplicas: 0, maxReplicas: 3, metrics: [cpuMetric] } },
      'spec.scaling.minReplicas',
      'with engine: hpa or none nothing wakes a service without pods: write engine: builtin or keda, or minReplicas of at least 1',
    ],
    [
      'a HorizontalPodAutoscaler without a metric',
      { scaling: { engine: 'hpa', maxReplicas: 3 } },
      'spec.scaling.metrics',
      'write it with engine: hpa',
    ],
    [
      'metrics for another engine',
      { scaling: { engine: 'keda', maxReplicas: 3, metrics: [cpuMetric] } },
      'spec.scaling.metrics',
      'write it with engine: hpa, and only there',
    ],
    [
      'a target beside metrics',
      { scaling: { engine: 'hpa', maxReplicas: 3, metrics: [cpuMetric], target: { concurrency: 4 } } },
      'spec.scaling.target',
      'remove scaling.target',
    ],
    [
      'a metric in the place of another',
      { scaling: { engine: 'hpa', maxReplicas: 3, metrics: [{ ...cpuMetric, type: 'Pods' }] } },
      'spec.scaling.metrics',
      'write pods with type: Pods',
    ],
    [
      'a target of the other form',
      { scaling: { engine: 'hpa', maxReplicas: 3, metrics: [perPod({ type: 'AverageValue' })] } },
      'spec.scaling.metrics[0].pods.target',
      'target.averageValue belongs to type: AverageValue',
    ],
    [
      'a target that is no quantity',
      {
        scaling: {
          engine: 'hpa',
          maxReplicas: 3,
          metrics: [perPod({ type: 'AverageValue', averageValue: 'ten' })],
        },
      },
      'spec.scaling.metrics[0].pods.target.averageValue',
      'write a quantity above 0',
    ],
    [
      'two targets',
      { scaling: { maxReplicas: 3, target: { concurrency: 4, queuedImages: 8 } } },
      'spec.scaling.target',
      'write exactly one of target.concurrency',
    ],
    ['no target', { scaling: { maxReplicas: 3, target: {} } }, 'spec.scaling.target', 'write exactly one'],
    [
      'a target in words',
      { scaling: { maxReplicas: 3, target: { denoisingSeconds: '2s' } } },
      'spec.scaling.target.denoisingSeconds',
      'a decimal from 0.1 to 3600 in quotes',
    ],
    [
      'a target of nothing',
      { scaling: { maxReplicas: 3, target: { denoisingSeconds: '0' } } },
      'spec.scaling.target.denoisingSeconds',
      'a decimal from 0.1 to 3600 in quotes',
    ],
    [
      'a burst below what is there',
      { scaling: { maxReplicas: 3, panicPercent: 100 } },
      'spec.scaling.panicPercent',
      'greater than or equal to 110',
    ],
    [
      'a strategy that does not exist',
      { rollout: { strategy: 'BlueGreen' } },
      'spec.rollout.strategy',
      'supported values: "RollingUpdate", "Recreate", "Canary"',
    ],
    [
      'steps for no canary',
      { rollout: { canary: { steps: [{ weight: 10 }] } } },
      'spec.rollout.canary',
      'write that, or remove canary',
    ],
    [
      'steps that fall',
      { rollout: { strategy: 'Canary', canary: { steps: [{ weight: 50 }, { weight: 10 }] } } },
      'spec.rollout.canary.steps',
      'write weights that rise',
    ],
    [
      'a step twice',
      { rollout: { strategy: 'Canary', canary: { steps: [{ weight: 50 }, { weight: 50 }] } } },
      'spec.rollout.canary.steps',
      'write weights that rise',
    ],
    [
      'a step without requests',
      { rollout: { strategy: 'Canary', canary: { steps: [{ weight: 0 }] } } },
      'spec.rollout.canary.steps[0].weight',
      'greater than or equal to 1',
    ],
    [
      'no steps at all',
      { rollout: { strategy: 'Canary', canary: { steps: [] } } },
      'spec.rollout.canary.steps',
      'should have at least 1 items',
    ],
    [
      'more failures than requests',
      { rollout: { strategy: 'Canary', canary: { analysis: { maxErrorRatePercent: 101 } } } },
      'spec.rollout.canary.analysis.maxErrorRatePercent',
      'less than or equal to 100',
    ],
    [
      'a canary judged by what nobody measures',
      { rollout: { strategy: 'Canary', canary: { analysis: { maxDistanceIncreasePercent: 20 } } } },
      'spec.rollout',
      'judges what servers measure: write spec.qualityMonitor: {}, or remove it',
    ],
    [
      'a sample of nothing',
      { qualityMonitor: { samplePercent: 0 } },
      'spec.qualityMonitor.samplePercent',
      'greater than or equal to 1',
    ],
    [
      'more than every image',
      { qualityMonitor: { samplePercent: 101 } },
      'spec.qualityMonitor.samplePercent',
      'less than or equal to 100',
    ],
    [
      'a bound below the evaluation itself',
      { qualityMonitor: { maxDistanceIncreasePercent: -1 } },
      'spec.qualityMonitor.maxDistanceIncreasePercent',
      'greater than or equal to 0',
    ],
    [
      'an undo to the one before, whichever that is',
      { rollout: { undoTo: 0 } },
      'spec.rollout.undoTo',
      'the number of a version in status.revisions, from 1',
    ],
    [
      'a label of the operator',
      { server: { podLabels: { 'app.kubernetes.io/name': 'x' } } },
      'spec.server.podLabels',
      'choose another prefix',
    ],
    [
      'a toleration that contradicts itself',
      { server: { tolerations: [{ operator: 'Exists', value: 'x' }] } },
      'spec.server.tolerations[0]',
      'remove value or write operator: Equal',
    ],
    ['a field nobody knows', { proxy: 'Always' }, 'spec.proxy', 'unknown field'],
  ])('%s', async (_, change, field, remedy) => {
    const message = await refusal(
      tryCreate(sparseInferenceServices, service('bad', server.namespace, change)),
    );
    expect(message).toContain(field);
    expect(message).toContain(remedy);
    expect(message).not.toMatch(/no such key|evaluating rule|cost/);
  });
});

/** What is wrong with a pod, whichever of our kinds it belongs to; fields are those below spec.trainer and spec.server. */
const badPods: Bad[] = [
  ['a label of no form', { podLabels: { a: 'not valid!' } }, 'podLabels[a]', 'the value of a label holds'],
  ['a label under no key', { podLabels: { 'bad key!': 'v' } }, 'podLabels', 'for example example.com/team'],
  [
    'a label with an empty prefix',
    { podLabels: { '/team': 'v' } },
    'podLabels',
    'for example example.com/team',
  ],
  [
    'a label with a long name',
    { podLabels: { ['a'.repeat(64)]: 'v' } },
    'podLabels',
    'name has at most 63 characters',
  ],
  ['a label of the Job', { podLabels: { 'job-name': 'x' } }, 'podLabels', 'choose another prefix or name'],
  [
    'an annotation under no key',
    { podAnnotations: { 'a b': 'v' } },
    'podAnnotations',
    'the key of an annotation',
  ],
  ['a node by no key', { nodeSelector: { 'bad key!': 'v' } }, 'nodeSelector', 'for example example.com/team'],
  [
    'a node by no value',
    { nodeSelector: { zone: 'a b' } },
    'nodeSelector[zone]',
    'the value of a label holds',
  ],
  [
    'an account that is no name',
    { serviceAccountName: 'Not_A_Name' },
    'serviceAccountName',
    'write the name of a ServiceAccount',
  ],
  [
    'a priority that is no name',
    { priorityClassName: 'High' },
    'priorityClassName',
    'name of a PriorityClass',
  ],
  ['a runtime that is no name', { runtimeClassName: 'a b' }, 'runtimeClassName', 'name of a RuntimeClass'],
  ['an image in capitals', { image: 'registry.io/Team/Trainer:1' }, 'image', 'the name in lower case'],
  ['an image with an empty tag', { image: 'trainer:' }, 'image', 'written registry/name:tag'],
  ['an image with a short digest', { image: 'trainer@sha256:abc' }, 'image', 'name@sha256:digest'],
  [
    'a pull secret that is no name',
    { imagePullSecrets: [{ name: 'My_Secret' }] },
    'imagePullSecrets[0].name',
    'write the name of a Secret',
  ],
  [
    'less than no processor',
    { resources: { requests: { cpu: '-1' } } },
    'resources.requests[cpu]',
    'a quantity is a number of at least 0',
  ],
  [
    'less than no processor as a number',
    { resources: { limits: { cpu: -1 } } },
    'resources.limits[cpu]',
    'a quantity is a number of at least 0',
  ],
  [
    'an unknown unit',
    { resources: { limits: { memory: '4GB' } } },
    'resources.limits[memory]',
    'for example cpu: 500m or memory: 4Gi',
  ],
  [
    'thousandths of a byte',
    { resources: { limits: { memory: '512m' } } },
    'resources.limits',
    'write for example 512Mi',
  ],
  [
    'requests above limits',
    { resources: { requests: { memory: '4Gi' }, limits: { memory: '4G' } } },
    'resources.requests',
    'lower requests or raise limits',
  ],
  [
    'requests above limits in other units',
    { resources: { requests: { cpu: 1 }, limits: { cpu: '500m' } } },
    'resources.requests',
    'lower requests or raise limits',
  ],
  [
    'half a GPU',
    { resources: { limits: { 'nvidia.com/gpu': '500m' } } },
    'resources.limits',
    'write a whole number, for example nvidia.com/gpu: 1',
  ],
  [
    'a GPU in requests alone',
    { resources: { requests: { 'nvidia.com/gpu': 1 } } },
    'resources.requests',
    'asked for in limits',
  ],
  [
    'fewer GPUs in requests than in limits',
    { resources: { requests: { 'nvidia.com/gpu': 1 }, limits: { 'nvidia.com/gpu': 2 } } },
    'resources.requests',
    'asked for in limits',
  ],
  [
    'a GPU by its short name',
    { resources: { limits: { gpu: 1 } } },
    'resources.limits',
    'under its full name',
  ],
  [
    'a toleration of no operator',
    { tolerations: [{ key: 'a', operator: 'Like' }] },
    'tolerations[0].operator',
    'supported values: "Exists", "Equal"',
  ],
  [
    'a toleration of no effect',
    { tolerations: [{ key: 'a', operator: 'Exists', effect: 'Never' }] },
    'tolerations[0].effect',
    'supported values',
  ],
  ['a toleration without key', { tolerations: [{ value: 'a' }] }, 'tolerations[0]', 'write operator: Exists'],
  [
    'a toleration of no key',
    { tolerations: [{ key: 'bad key!', operator: 'Exists' }] },
    'tolerations[0].key',
    'the key of a taint is written',
  ],
  [
    'a toleration of no value',
    { tolerations: [{ key: 'a', value: 'not valid!' }] },
    'tolerations[0].value',
    'the value of a taint holds',
  ],
  [
    'a toleration for seconds of another effect',
    { tolerations: [{ key: 'a', operator: 'Exists', tolerationSeconds: 5 }] },
    'tolerations[0]',
    'needs effect: NoExecute',
  ],
  [
    'a toleration for negative seconds',
    { tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: -1 }] },
    'tolerations[0].tolerationSeconds',
    'greater than or equal to 0',
  ],
  ...badTerms().map(([says, term, field, remedy]): Bad => [
    `an affinity ${says}`,
    { affinity: { nodeAffinity: required(term) } },
    `affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].${field}`,
    remedy,
  ]),
  ...badTerms().map(([says, term, field, remedy]): Bad => [
    `a preference ${says}`,
    { affinity: { nodeAffinity: preferred(term) } },
    `affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].${field}`,
    remedy,
  ]),
  [
    'a variable of no name',
    { env: [{ name: '1A', value: 'x' }] },
    'env[0].name',
    "doesn't start with a digit",
  ],
  [
    'a variable twice',
    {
      env: [
        { name: 'A', value: 'x' },
        { name: 'A', value: 'y' },
      ],
    },
    'env[1]',
    'Duplicate value',
  ],
  ['the home folder', { env: [{ name: 'HOME', value: '/' }] }, 'env[0].name', 'choose another name'],
  [
    'a Secret that is no name',
    { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'A_B', key: 'k' } } }] },
    'env[0].valueFrom.secretKeyRef.name',
    'write the name of a Secret',
  ],
  [
    'a key that is none',
    { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'a', key: 'a b' } } }] },
    'env[0].valueFrom.configMapKeyRef.key',
    'a key of a ConfigMap holds',
  ],
];

type Expression = { key?: string; operator: string; values?: string[] };

function badTerms(): [says: string, expression: Expression, field: string, remedy: string][] {
  const many = ['a', 'b'];
  return [
    ['over no key', { key: 'bad key!', operator: 'Exists' }, 'key', 'the key of a label is written'],
    ['of no operator', { key: 'zone', operator: 'Like' }, 'operator', 'supported values: "In"'],
    ['without values', { key: 'zone', operator: 'In' }, 'values', 'operators In and NotIn need values'],
    ['between words', { key: 'zone', operator: 'Gt', values: ['a'] }, 'values', 'exactly one whole number'],
    [
      'between two',
      { key: 'zone', operator: 'Lt', values: ['1', '2'] },
      'values',
      'exactly one whole number',
    ],
    [
      'with a needless value',
      { key: 'zone', operator: 'Exists', values: many },
      'values',
      'DoesNotExist none',
    ],
    [
      'to no value',
      { key: 'zone', operator: 'NotIn', values: ['not valid!'] },
      'values',
      'the value of a label holds',
    ],
  ];
}

function required(expression: Expression): Changes {
  const nodeSelectorTerms = [{ matchExpressions: [expression] }];
  return { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
}

function preferred(expression: Expression): Changes {
  const preference = { matchExpressions: [expression] };
  return { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference }] };
}

describe('a SparseStudy is refused', () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => index);

  it.each<Bad>([
    ['no axis', { grid: { seeds: undefined } }, 'spec.grid', 'a grid needs at least one of patterns'],
    [
      'a broken pattern',
      { grid: { patterns: ['4:2'] } },
      'spec.grid.patterns[0]',
      'a pattern is written "N:M"',
    ],
    [
      'too many runs',
      { grid: { seeds: many(64), methods: ['ste', 'asp', 'cast'], patterns: ['2:4', '4:8'] } },
      'spec.grid',
      'a study has at most 256 runs',
    ],
    ['an unknown method', { grid: { methods: ['wanda'] } }, 'spec.grid.methods[0]', 'supported values'],
    ['a value twice', { grid: { seeds: [1, 1] } }, 'spec.grid.seeds[1]', 'Duplicate value'],
    [
      'layers of one name',
      { grid: { layers: [{ name: 'a' }, { name: 'a' }] } },
      'spec.grid.layers[1]',
      'Duplicate',
    ],
    [
      'a name that is none',
      { grid: { layers: [{ name: 'A b' }] } },
      'spec.grid.layers[0].name',
      'write a name of',
    ],
    [
      'a broken glob',
      { grid: { layers: [{ name: 'a', include: ['x y'] }] } },
      'include[0]',
      'a glob over module names',
    ],
    [
      'an output outside of claims',
      { output: { uri: 'file:///tmp/x' } },
      'spec.output.uri',
      'write pvc://CLAIM/PATH',
    ],
    ['no parallelism', { parallelism: 0 }, 'spec.parallelism', 'greater than or equal to 1'],
    [
      'a reference that is no name',
      { finetuneRef: { name: 'A/b' } },
      'spec.finetuneRef.name',
      'write the name of a',
    ],
  ])('for %s', async (_, change, field, remedy) => {
    const message = await refusal(tryCreate(sparseStudies, study('bad', server.namespace, change)));
    expect(message).toContain(field);
    expect(message).toContain(remedy);
  });

  it('for a name that leaves no room for those of its runs', async () => {
    const message = await refusal(tryCreate(sparseStudies, study('a'.repeat(49), server.namespace)));
    expect(message).toContain('metadata.name must be at most 48 characters');
  });
});

describe('the pod of either kind is refused with', () => {
  const makers = {
    trainer: (pod: Changes) =>
      tryCreate(sparseFinetunes, finetune('bad', server.namespace, { trainer: pod })),
    server: (pod: Changes) =>
      tryCreate(sparseInferenceServices, service('bad', server.namespace, { server: pod })),
  };

  it.each(badPods)('%s', async (_, pod, field, remedy) => {
    for (const part of ['trainer', 'server'] as const) {
      const message = await refusal(makers[part](pod));
      expect(message).toContain(`spec.${part}.${field}`);
      expect(message).toContain(remedy);
      expect(message).not.toMatch(/no such key|evaluating rule|cost|no such overload/);
    }
  });

  it.each<[string, Changes]>([
    ['an image by name alone', { image: 'trainer' }],
    ['an image in a registry with a port', { image: 'localhost:5000/a_b/c--d.e:1.0_x' }],
    ['an image with tag and digest', { image: `registry.io/a:1@sha256:${'0'.repeat(64)}` }],
    ['a label without value', { podLabels: { 'example.com/Team_1': '' } }],
    ['an annotation in capitals', { podAnnotations: { 'Example.com/Owner': 'x y!' } }],
    ['every taint', { tolerations: [{ operator: 'Exists' }] }],
    ['a taint by value', { tolerations: [{ key: 'nvidia.com/gpu', value: 'present', effect: 'NoExecute' }] }],
    ['a comparison', { affinity: { nodeAffinity: required({ key: 'n', operator: 'Gt', values: ['-5'] }) } }],
    [
      'devices in both',
      {
        resources: {
          requests: { cpu: '0.5', memory: '4e9', 'nvidia.com/gpu': '2' },
          limits: { cpu: 1, memory: '4Gi', 'nvidia.com/gpu': 2, 'ephemeral-storage': '10Gi' },
        },
      },
    ],
  ])('and accepted with %s', async (_, pod) => {
    for (const part of ['trainer', 'server'] as const) {
      expect((await makers[part](pod)).metadata.uid).toBeDefined();
    }
  });
});

/** Parts of the spec that the trainer reads. */
const trained = /^\.(model|dataset|sparsity|training|checkpoint|evaluation)\b/;
type Schema = {
  properties?: Record<string, Schema>;
  'x-kubernetes-validations'?: { message: string; fieldPath?: string }[];
};
type Definition = { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } };

describe('a spec that the trainer reads too', async () => {
  type Case = { says: string; spec: Changes; field: string };
  const file = path.join(import.meta.dirname, 'judged-alike.yaml');
  const cases = parse(await readFile(file, 'utf8')) as { refused: Case[]; accepted: Case[] };
  const specOf = (spec: Changes) =>
    Object.fromEntries(Object.entries(spec).map(([part, fields]) => [part, withoutNulls(fields as Changes)]));
  const attempt = ({ spec }: Case) =>
    tryCreate(sparseFinetunes, finetune('case', server.namespace, specOf(spec)));
  const said: string[] = [];

  it.each(cases.refused)('is refused: $says', async (given) => {
    const message = await refusal(attempt(given));
    said.push(message);
    expect(message).toMatch(
      new RegExp(
        `spec\\.${given.field}\\b.*(remove|leave|write|add|change|mount|give|must|belong|needs|for example)`,
      ),
    );
    expect(message).not.toMatch(/no such key|evaluating rule|cost|no such overload/);
  });

  it('has a case of every rule of several fields that the trainer reads', async () => {
    const definition = parse(await readFile('crds/sparsedm.io_sparsefinetunes.yaml', 'utf8')) as Definition;
    const { spec } = definition.spec.versions[0]!.schema.openAPIV3Schema.properties!;
    const sentences = new Set(rulesOf(spec!).filter((sentence) => !sentence.includes('is immutable')));
    const missing = [...sentences].filter((sentence) => !said.some((message) => message.includes(sentence)));
    expect(missing).toEqual([]);
  });

  it.each(cases.accepted)('is not $says', async (given) => {
    expect((await attempt(given)).metadata.uid).toBeDefined();
  });

  /** Sentences of the rules of objects below `schema`; those of a single text are its format. */
  function rulesOf(schema: Schema, at = ''): string[] {
    const own = schema.properties ? (schema['x-kubernetes-validations'] ?? []) : [];
    const theirs = own.filter(({ fieldPath = '' }) => trained.test(`${at}${fieldPath}`));
    const below = Object.entries(schema.properties ?? {}).flatMap(([name, one]) =>
      rulesOf(one, `${at}.${name}`),
    );
    return [...theirs.map(({ message }) => message), ...below];
  }

  /** YAML has no undefined, by which a change removes a field. */
  function withoutNulls(fields: Changes): Changes {
    return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value ?? undefined]));
  }
});

describe('a claim that is no name is refused in', () => {
  const claims = ['data-', 'a.-b', 'Data', 'a'.repeat(254)];
  it.each<[string, (uri: string) => Changes]>([
    ['model.pretrained.uri', (uri) => ({ model: { pretrained: { uri: `${uri}.pth` } } })],
    [
      'model.teacher.pretrained.uri',
      (uri) => ({
        model: { teacher: { preset: 'fashion-mnist-uvit-tiny', pretrained: { uri: `${uri}.pth` } } },
      }),
    ],
    ['dataset.uri', (uri) => ({ dataset: { uri } })],
    ['evaluation.extractorUri', (uri) => ({ evaluation: { extractorUri: `${uri}.pth` } })],
    ['evaluation.referenceStatsUri', (uri) => ({ evaluation: { referenceStatsUri: `${uri}.npz` } })],
    ['output.uri', (uri) => ({ output: { uri } })],
  ])('%s', async (field, change) => {
    for (const claim of claims) {
      const attempt = tryCreate(
        sparseFinetunes,
        finetune('bad', server.namespace, change(`pvc://${claim}/path`)),
      );
      const message = await refusal(attempt);
      expect(message).toContain(`spec.${field}`);
      expect(message).toContain('pvc://CLAIM/PATH');
    }
  });

  it('the URI of a served model', async () => {
    for (const claim of claims) {
      const model = { uri: `pvc://${claim}/path` };
      const message = await refusal(
        tryCreate(sparseInferenceServices, service('bad', server.namespace, { model })),
      );
      expect(message).toContain('spec.model.uri');
      expect(message).toContain('pvc://CLAIM/PATH');
    }
  });
});

describe('a SparseFinetune is accepted', () => {
  it.each<[string, Changes]>([
    ['as short as can be', {}],
    ['explicit sizes', ownConfig({ numClasses: 10, finalConv: false, prediction: 'v' })],
    [
      'a rectified flow',
      ownConfig({ prediction: 'velocity', noiseProcess: { kind: 'rectified-flow', shift: '3' } }),
    ],
    [
      'betas of Stable Diffusion',
      ownConfig({
        noiseProcess: {
          kind: 'discrete-betas',
          betaSchedule: 'scaled-linear',
          betaStart: '0.00085',
          betaEnd: '0.012',
        },
      }),
    ],
    [
      'a cosine of betas',
      ownConfig({ noiseProcess: { kind: 'discrete-betas', betaSchedule: 'cosine', timesteps: 4000 } }),
    ],
    ['an output in a bucket', { output: { uri: 's3://my-bucket/models/run' } }],
    ['an output in a bucket of Google', { output: { uri: 'gs://my-bucket/models/run' } }],
    ['an output in a registry', { output: { uri: 'oci://ghcr.io/team/shirts:v1' } }],
    [
      'weights from a bucket, data from a hub, and an extractor from the web',
      {
        model: { pretrained: { uri: 's3://my-bucket/weights/x.safetensors' } },
        dataset: { format: 'image-folder', uri: 'hf://datasets/owner/images@main/train' },
        evaluation: {
          extractorUri: 'https://host.example:8443/x/extractor.safetensors',
          referenceStatsUri: `oci://ghcr.io/team/statistics:v1@sha256:${digest}/birds.npz`,
        },
        sources: {
          credentials: [
            { prefix: 's3://my-bucket', secretName: 'reader' },
            { prefix: 'https://host.example:8443/x', secretName: 'web' },
            { prefix: 'hf://', secretName: 'hub' },
          ],
          cache: { claim: 'cache' },
          trustedCA: { configMapName: 'corporate-ca' },
        },
      },
    ],
    ['labels that are never dropped', ownConfig({ numClasses: 10, nullClass: false })],
    ['weights that end in .bin', { model: { pretrained: { uri: 'pvc://data/pytorch_model.bin' } } }],
    ['mirrored images', { dataset: { format: 'image-folder', horizontalFlip: true } }],
    ['weights by a state dict', { model: { pretrained: { uri: 'pvc://data/cifar10_uvit_small.pth' } } }],
    [
      'a folder of diffusers',
      {
        model: { architecture: 'unet', preset: undefined, pretrained: { uri: 'pvc://data/ddpm-cifar10-32' } },
      },
    ],
    [
      'latents with text',
      {
        model: {
          preset: 'mscoco256-uvit-small',
          pretrained: { uri: 'pvc://data/mscoco_uvit_small.pth' },
          textEncoderUri: 'pvc://data/clip-vit-large-patch14',
        },
        dataset: { format: 'mscoco256-features', uri: 'pvc://data/mscoco' },
        evaluation: { autoencoderUri: 'pvc://data/vae' },
      },
    ],
    [
      'latents of emoji with text, from random weights',
      {
        model: {
          preset: 'emoji-uvit-text',
          initialization: 'random',
          pretrained: undefined,
          textEncoderUri: 'pvc://emoji/clip',
        },
        sparsity: { method: 'dense' },
        dataset: { format: 'emoji-features', uri: 'pvc://emoji/features' },
        evaluation: { autoencoderUri: 'pvc://emoji/vae' },
      },
    ],
    ['explicit sizes of text', ownConfig({ channels: 4, contextTokens: 77, contextWidth: 768 })],
    [
      'FID against published statistics',
      {
        evaluation: {
          metric: 'fid',
          extractorUri: 'pvc://tools/pt_inception-2015-12-05-6726825d.pth',
          referenceStatsUri: 'pvc://tools/fid_stats_cifar10_train_pytorch.npz',
        },
      },
    ],
    ['a training of one step, with every default', { training: { steps: 1 } }],
    ['the longest warm-up', { training: { steps: 10, warmupSteps: 9 }, checkpoint: { everySteps: 10 } }],
    ['the best of several evaluations', { evaluation: { select: 'best', everySteps: 100 } }],
    ['the sampler of the paper', { evaluation: { sampler: 'euler-maruyama', steps: 1000 } }],
    ['a model that lost heads and channels', ownConfig({ heads: 3, headWidth: 32, mlpWidth: 200 })],
    ['generated images', { dataset: { format: 'generated', uri: undefined, samples: 1000 } }],
    ['classes in a column', { dataset: { format: 'image-folder', classColumn: 'style' } }],
    ['the model of emoji', { model: { preset: 'emoji-uvit-small' } }],
    ['custom stages', custom({})],
    ['a short ramp', { sparsity: { schedule: { rampPercent: 20 } } }],
    ['the doubling family', { sparsity: { schedule: { family: 'doubling', rampPercent: 20 } } }],
    ['another pattern', { sparsity: { pattern: '1:32' } }],
    ['one-shot pruning', { sparsity: { method: 'asp', maskType: 'random', schedule: { type: 'fixed' } } }],
    ['cast in its own rhythm', { sparsity: { method: 'cast', maskUpdateSteps: 20, l1Decay: '0.5' } }],
    ['a continuous threshold', { sparsity: { method: 's-ste', schedule: { freezeMaskPercent: 0 } } }],
    ['a control without masks', { sparsity: { method: 'dense' } }],
    ['random masks', { sparsity: { method: 'sr-ste-decoupled', maskType: 'random' } }],
    [
      'a large batch in little memory',
      {
        training: {
          precision: 'fp16',
          gradientAccumulationSteps: 8,
          gradientCheckpointing: true,
          compile: true,
          learningRateSchedule: 'cosine',
        },
      },
    ],
    ['a model that its processes share', { training: { sharding: 'fsdp', gradientCheckpointing: true } }],
    ['an optimizer of small states', { training: { optimizer: 'adafactor', learningRate: '0.001' } }],
    ['a digest', { model: { pretrained: { sha256: digest } } }],
    [
      'a gate',
      { acceptance: { maxFidIncrease: '2.5', maxFidIncreasePercent: 10, minMacsReductionPercent: 40 } },
    ],
    [
      'everything about its pod',
      {
        trainer: {
          image: 'registry.example.com:5000/team/trainer@sha256:' + digest,
          imagePullPolicy: 'IfNotPresent',
          imagePullSecrets: [{ name: 'registry' }],
          resources: { requests: { cpu: 2, memory: '4Gi' }, limits: { 'nvidia.com/gpu': 1 } },
          nodeSelector: { 'nvidia.com/gpu.product': 'A100' },
          tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }],
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }],
              },
            },
          },
          env: [
            { name: 'OMP_NUM_THREADS', value: '2' },
            { name: 'KEY', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
          ],
          serviceAccountName: 'trainer',
          priorityClassName: 'low',
          runtimeClassName: 'nvidia',
          podLabels: { team: 'vision' },
          podAnnotations: { 'example.com/owner': 'me' },
        },
        suspend: true,
        backoffLimit: 0,
        activeDeadlineSeconds: 3600,
        ttlSecondsAfterFinished: 0,
      },
    ],
  ])('%s', async (_, change) => {
    const made = await tryCreate(sparseFinetunes, finetune('good', server.namespace, change));
    expect(made.metadata.uid).toBeDefined();
  });

  it('with every default filled in', async () => {
    const { spec } = await tryCreate(sparseFinetunes, finetune('good', server.namespace));
    expect(spec).toEqual({
      model: {
        architecture: 'uvit',
        initialization: 'pretrained',
        preset: 'fashion-mnist-uvit-tiny',
        pretrained: { uri: 'file:///opt/sparsedm/weights/fashion-mnist-uvit-tiny.safetensors' },
      },
      dataset: { format: 'fashion-mnist', uri: 'file:///opt/sparsedm/data/fashion-mnist' },
      sparsity: {
        pattern: '2:4',
        method: 'sparsedm',
        maskType: 'magnitude',
        schedule: { type: 'progressive' },
        layers: {},
      },
      training: {
        steps: 300,
        batchSize: 64,
        gradientAccumulationSteps: 1,
        gradientCheckpointing: false,
        compile: false,
        sharding: 'none',
        optimizer: 'adamw',
        refreshSteps: 0,
        learningRate: '0.0002',
        weightDecay: '0.03',
        betas: ['0.9', '0.99'],
        learningRateSchedule: 'constant',
        emaDecay: '0.99',
        precision: 'fp32',
        seed: 0,
        gradientClip: '1.0',
      },
      checkpoint: { keep: 2 },
      evaluation: {
        metric: 'fd',
        precision: 'fp32',
        samples: 500,
        steps: 20,
        guidance: '0.5',
        sampler: 'dpm-solver++',
        extractorUri: 'file:///opt/sparsedm/weights/fashion-mnist-extractor.safetensors',
        everySteps: 0,
        select: 'last',
      },
      output: { uri: OUTPUT },
      suspend: false,
      backoffLimit: 3,
    });
  });

  it('with a name of 52 characters', async () => {
    const name = 'a'.repeat(52);
    expect((await tryCreate(sparseFinetunes, finetune(name, server.namespace))).metadata.name).toBe(name);
  });
});

describe('a SparseInferenceService is accepted', () => {
  it('with every default filled in', async () => {
    const { spec } = await tryCreate(sparseInferenceServices, service('good', server.namespace));
    expect(spec).toEqual({
      model: { uri: 'pvc://models/shirts', follow: false },
      engine: {
        backend: 'auto',
        precision: 'auto',
        steps: 20,
        guidance: '0.5',
        maxBatchSize: 8,
        maxBatchDelayMilliseconds: 5,
        maxQueue: 64,
      },
      gateway: 'Auto',
      replicas: 1,
    });
  });

  it('with scaling and its defaults', async () => {
    const scaling = { maxReplicas: 3 };
    const { spec } = await tryCreate(
      sparseInferenceServices,
      service('scaled', server.namespace, { scaling }),
    );
    expect(spec.scaling).toEqual({
      engine: 'builtin',
      minReplicas: 1,
      maxReplicas: 3,
      scaleDownStabilizationSeconds: 300,
      panicPercent: 200,
    });
  });

  it('with a model in a bucket', async () => {
    const sources = {
      credentials: [{ prefix: 's3://models', secretName: 'reader' }],
      cache: { claim: 'cache' },
    };
    const given = { model: { uri: 's3://models/shirts/v2' }, sources };
    const { spec } = await tryCreate(sparseInferenceServices, service('bucket', server.namespace, given));
    expect(spec.sources).toEqual(sources);
  });

  it.each([{ concurrency: 4 }, { queuedImages: 8 }, { denoisingSeconds: '0.5' }])(
    'with target %j',
    async (target) => {
      const scaling = { maxReplicas: 3, target };
      const name = `target-${Object.keys(target)[0]!.toLowerCase()}`;
      const { spec } = await tryCreate(sparseInferenceServices, service(name, server.namespace, { scaling }));
      expect(spec.scaling?.target).toEqual(target);
    },
  );

  it('with a canary and its defaults', async () => {
    const rollout = { strategy: 'Canary', canary: { steps: [{ weight: 5 }, { weight: 100 }], analysis: {} } };
    const { spec } = await tryCreate(
      sparseInferenceServices,
      service('canary', server.namespace, { rollout }),
    );
    expect(spec.rollout).toEqual({
      strategy: 'Canary',
      canary: {
        steps: [
          { weight: 5, holdSeconds: 60 },
          { weight: 100, holdSeconds: 60 },
        ],
        analysis: { maxErrorRatePercent: 5, minRequests: 20 },
      },
      revisionHistoryLimit: 10,
    });
  });

  it('with engine none and nothing else of scaling', async () => {
    const scaling = { engine: 'none' };
    const { spec } = await tryCreate(sparseInferenceServices, service('none', server.namespace, { scaling }));
    expect(spec.scaling?.engine).toBe('none');
  });

  it('with a reference, a gate and no replicas', async () => {
    const model = { uri: undefined, finetuneRef: { name: 'shirts' }, follow: true };
    const change = {
      model,
      qualityGate: { maxFidIncreasePercent: 5 },
      replicas: 0,
      engine: { backend: 'cusparselt', precision: 'fp16' },
    };
    const made = await tryCreate(sparseInferenceServices, service('good', server.namespace, change));
    expect(made.spec.replicas).toBe(0);
  });
});

describe('the documentation', () => {
  const root = path.join(import.meta.dirname, '../..');
  const resources: Record<string, Resource> = {
    SparseFinetune: sparseFinetunes,
    SparseInferenceService: sparseInferenceServices,
    SparseStudy: sparseStudies,
  };

  async function yamlTexts(): Promise<[file: string, text: string][]> {
    const folder = path.join(root, 'docs/examples');
    const examples = (await readdir(folder)).filter((file) => file.endsWith('.yaml'));
    const texts = examples.map(async (file): Promise<[string, string]> => [
      file,
      await readFile(path.join(folder, file), 'utf8'),
    ]);
    const readme = await readFile(path.join(root, 'README.md'), 'utf8');
    const blocks = [...readme.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((block): [string, string] => [
      'README.md',
      block[1]!,
    ]);
    return [...(await Promise.all(texts)), ...blocks];
  }

  it('holds only examples that the API server takes, strictly', async () => {
    let count = 0;
    for (const [file, text] of await yamlTexts()) {
      for (const document of parseAllDocuments(text)) {
        const object = document.toJS() as KubeObject | null;
        const resource = resources[object?.kind ?? ''];
        if (object === null || resource === undefined) continue;
        const made = await tryCreate(resource, {
          ...object,
          metadata: { ...object.metadata, namespace: server.namespace },
        });
        expect(made.metadata.name, file).toBe(object.metadata.name);
        count++;
      }
    }
    expect(count).toBeGreaterThanOrEqual(4);
  });
});

describe('once it exists', () => {
  async function stored(name: string, spec: Changes = {}): Promise<SparseFinetune> {
    await tryCreate(sparseFinetunes, finetune(name, server.namespace, spec), false);
    return eventually(
      async () => (await server.client.get(sparseFinetunes, { namespace: server.namespace, name })) ?? false,
    );
  }

  function patch(name: string, spec: Changes): Promise<SparseFinetune> {
    return server.transport.request<SparseFinetune>({
      method: 'PATCH',
      path: objectPath(sparseFinetunes, { namespace: server.namespace, name }),
      query: { dryRun: 'All', fieldManager: 'test' },
      contentType: 'application/merge-patch+json',
      body: { spec },
    });
  }

  it('a SparseFinetune has a status before any operator has seen it', async () => {
    const made = await stored('untouched');
    expect(made.status).toEqual({ observedGeneration: -1 });
  });

  it.each<[string, Changes]>([
    ['model', { model: { pretrained: { sha256: digest } } }],
    ['dataset', { dataset: { uri: 'pvc://other/data' } }],
    ['sparsity', { sparsity: { pattern: '1:4' } }],
    ['training', { training: { steps: 400 } }],
    ['checkpoint', { checkpoint: { keep: 3 } }],
    ['evaluation', { evaluation: { samples: 1000 } }],
    ['acceptance', { acceptance: { maxFidIncrease: '9' } }],
    ['output', { output: { uri: 'pvc://models/elsewhere' } }],
    ['sources', { sources: { cache: { claim: 'cache' } } }],
  ])('its %s is immutable', async (part, change) => {
    await stored(`fixed-${part}`);
    const message = await refusal(patch(`fixed-${part}`, change));
    expect(message).toContain(`spec.${part} is immutable: create a new SparseFinetune`);
  });

  it('a gate can not be taken away either', async () => {
    await stored('gated', { acceptance: { maxFidIncrease: '1' } });
    expect(await refusal(patch('gated', { acceptance: null }))).toContain('spec.acceptance is immutable');
  });

  it('suspend, backoffLimit, deadline and time to live can change', async () => {
    await stored('mutable', { activeDeadlineSeconds: 60 });
    const change = {
      suspend: true,
      backoffLimit: 5,
      activeDeadlineSeconds: null,
      ttlSecondsAfterFinished: 10,
    };
    const { spec } = await patch('mutable', change);
    expect(spec).toMatchObject({ suspend: true, backoffLimit: 5, ttlSecondsAfterFinished: 10 });
    expect(spec.activeDeadlineSeconds).toBeUndefined();
  });

  it('a SparseInferenceService scales through its subresource', async () => {
    await tryCreate(sparseInferenceServices, service('scaled', server.namespace), false);
    const key = { namespace: server.namespace, name: 'scaled' };
    const scalePath = `${objectPath(sparseInferenceServices, key)}/scale`;
    await server.transport.request({
      method: 'PATCH',
      path: scalePath,
      contentType: 'application/merge-patch+json',
      body: { spec: { replicas: 3 } },
    });
    const changed = await server.client.get<SparseInferenceService>(sparseInferenceServices, key);
    expect(changed?.spec.replicas).toBe(3);
    const labels = 'app.kubernetes.io/name=sparsedm-server';
    await server.client.patchStatus(sparseInferenceServices, changed!, {
      ...changed!.status,
      replicas: 2,
      selector: labels,
    });
    const scale = await server.transport.request<{ spec: unknown; status: unknown }>({
      method: 'GET',
      path: scalePath,
    });
    expect(scale).toMatchObject({ spec: { replicas: 3 }, status: { replicas: 2, selector: labels } });
  });
});

describe('the definitions', () => {
  type Schema = {
    description?: string;
    properties?: Record<string, Schema>;
    items?: Schema;
    type?: string;
    maxLength?: number;
    enum?: string[];
    format?: string;
  };
  type Definition = {
    metadata: { name: string };
    spec: { versions: { schema: { openAPIV3Schema: Schema } }[] };
  };

  const folder = path.join(import.meta.dirname, '../../crds');
  async function definitions(): Promise<Definition[]> {
    const files = (await readdir(folder)).filter((file) => file.endsWith('.yaml'));
    const texts = await Promise.all(files.map((file) => readFile(path.join(folder, file), 'utf8')));
    return texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Definition));
  }

  function walk(schema: Schema, at: string, visit: (schema: Schema, at: string) => void): void {
    visit(schema, at);
    for (const [name, child] of Object.entries(schema.properties ?? {})) walk(child, `${at}.${name}`, visit);
    if (schema.items) walk(schema.items, `${at}[]`, visit);
  }

  it('are smaller than 262,144 bytes, the limit of client-side apply', async () => {
    for (const definition of await definitions()) {
      expect(JSON.stringify(definition).length).toBeLessThan(262_144);
    }
  });

  it('describe every field, and bound every text', async () => {
    const missing: string[] = [];
    for (const definition of await definitions()) {
      walk(definition.spec.versions[0]!.schema.openAPIV3Schema, definition.metadata.name, (schema, at) => {
        const isItem = at.endsWith('[]') || /\.(metadata|apiVersion|kind)$/.test(at);
        if (!isItem && !schema.description) missing.push(`${at}: description`);
        const bounded = schema.maxLength ?? schema.enum ?? schema.format;
        if (schema.type === 'string' && bounded === undefined && !isItem) missing.push(`${at}: maxLength`);
      });
    }
    expect(missing).toEqual([]);
  });
});
