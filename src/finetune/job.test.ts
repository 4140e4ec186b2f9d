import { describe, expect, it } from 'vitest';
import { aFinetune, aJob, settings } from '../../test/support/finetune';
import type { Job } from '../kube/resources';
import { defined } from '../runtime/defined';
import { buildJob, controlledJob, controlsDiffer, suspendManagers } from './job';

function containerOf(job: ReturnType<typeof buildJob>) {
  return job.spec!.template.spec!.containers[0]!;
}

describe('the Job of a SparseFinetune', () => {
  const job = buildJob(aFinetune({ activeDeadlineSeconds: 60, suspend: true, backoffLimit: 5 }), settings);
  const env = Object.fromEntries(containerOf(job).env!.map(({ name, value }) => [name, value]));

  it('is named after it and owned by it', () => {
    expect(job.metadata).toMatchObject({
      name: 'shirts-train',
      namespace: 'ml',
      ownerReferences: [{ kind: 'SparseFinetune', name: 'shirts', uid: 'finetune-uid', controller: true }],
      labels: { 'sparsedm.io/finetune': 'shirts', 'app.kubernetes.io/name': 'sparsedm-trainer' },
    });
  });

  it('runs one pod at a time, and knows which failures are final', () => {
    expect(job.spec).toMatchObject({
      suspend: true,
      backoffLimit: 5,
      completions: 1,
      parallelism: 1,
      podReplacementPolicy: 'Failed',
      podFailurePolicy: {
        rules: [
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
          {
            action: 'FailJob',
            onExitCodes: { containerName: 'trainer', operator: 'In', values: [2, 3, 4] },
          },
        ],
      },
    });
    expect(job.spec?.template.spec?.restartPolicy).toBe('Never');
  });

  it('says that a suspension follows the spec, and leaves suspend to others otherwise', () => {
    expect(job.metadata.annotations).toMatchObject({ 'sparsedm.io/suspended': 'true' });
    const going = buildJob(aFinetune({ suspend: false }), settings);
    expect(going.metadata.annotations).not.toHaveProperty(['sparsedm.io/suspended']);
    expect(going.spec).not.toHaveProperty('suspend');
  });

  it('is created without its deadline, which is applied apart', () => {
    expect(job.spec?.activeDeadlineSeconds).toBeUndefined();
  });

  it('tells the trainer what stands in the spec, and where to report', () => {
    const { model, dataset, training, output } = aFinetune().spec;
    expect(JSON.parse(env.SPARSEDM_CONFIG!)).toEqual({ model, dataset, training, output });
    expect(env).toMatchObject({
      SPARSEDM_RUN: 'ml/shirts',
      SPARSEDM_MOUNTS: '/mnt/pvc',
      SPARSEDM_REPORT_URL: 'http://operator.system.svc:8082/v1/finetunes/ml/shirts/progress',
      SPARSEDM_TOKEN_FILE: '/var/run/secrets/sparsedm.io/token',
      HOME: '/tmp',
    });
    expect(containerOf(job).command).toEqual(['sparsedm', 'train']);
  });

  it('tells the trainer of the GPUs that it has to find', () => {
    const gpus = (limits: Record<string, string>) =>
      containerOf(buildJob(aFinetune({ trainer: { resources: { limits } } }), settings)).env!.find(
        ({ name }) => name === 'SPARSEDM_GPUS',
      )?.value;
    expect([gpus({ 'nvidia.com/gpu': '4' }), gpus({ cpu: '4' })]).toEqual(['4', undefined]);
  });

  it('mounts each claim once, read-only where it only reads', () => {
    expect(containerOf(job).volumeMounts).toEqual([
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'token', mountPath: '/var/run/secrets/sparsedm.io', readOnly: true },
      { name: 'claim-0', mountPath: '/mnt/pvc/data', readOnly: true },
      { name: 'claim-1', mountPath: '/mnt/pvc/models', readOnly: false },
    ]);
  });

  it('mounts the claims of the held-out data, the extractor, the statistics, the autoencoder and CLIP too', () => {
    const evaluation = {
      dataset: { format: 'image-folder' as const, uri: 'pvc://held-out/images' },
      extractorUri: 'pvc://tools/inception.pth',
      referenceStatsUri: 'pvc://statistics/cifar10.npz',
      autoencoderUri: 'pvc://vae/kl-f8',
      clipUri: 'pvc://clip/vit-l-14',
    };
    const mounts = containerOf(buildJob(aFinetune({ evaluation }), settings)).volumeMounts!;
    for (const claim of ['held-out', 'tools', 'statistics', 'vae', 'clip']) {
      const mountPath = `/mnt/pvc/${claim}`;
      expect(mounts).toContainEqual(expect.objectContaining({ mountPath, readOnly: true }));
    }
  });

  it('mounts no claim of weights for a run from random ones', () => {
    const model = { preset: 'fashion-mnist-uvit-tiny', initialization: 'random' } as const;
    const container = containerOf(buildJob(aFinetune({ model }), settings));
    expect(container.volumeMounts!.filter(({ name }) => name.startsWith('claim-'))).toHaveLength(2);
    const { value } = container.env!.find(({ name }) => name === 'SPARSEDM_CONFIG')!;
    expect(JSON.parse(value!)).toMatchObject({ model });
  });

  it("mounts the teacher's claim, and hands the teacher to the trainer", () => {
    const preset = 'fashion-mnist-uvit-tiny' as const;
    const teacher = { preset, pretrained: { uri: 'pvc://originals/dense.pth' } };
    const model = { preset, pretrained: { uri: 'pvc://students/dense.pth' }, teacher };
    const built = containerOf(buildJob(aFinetune({ model }), settings));
    for (const mountPath of ['/mnt/pvc/originals', '/mnt/pvc/students']) {
      expect(built.volumeMounts).toContainEqual(expect.objectContaining({ mountPath, readOnly: true }));
    }
    const config = JSON.parse(built.env!.find(({ name }) => name === 'SPARSEDM_CONFIG')!.value!) as object;
    expect(config).toMatchObject({ model: { teacher } });
  });

  it("mounts the text encoder's claim, and hands the encoder to the trainer", () => {
    const model = {
      preset: 'mscoco256-uvit-small',
      pretrained: { uri: 'pvc://originals/dense.pth' },
      textEncoderUri: 'pvc://encoders/clip',
    } as const;
    const built = containerOf(buildJob(aFinetune({ model }), settings));
    expect(built.volumeMounts).toContainEqual(
      expect.objectContaining({ mountPath: '/mnt/pvc/encoders', readOnly: true }),
    );
    const config = JSON.parse(built.env!.find(({ name }) => name === 'SPARSEDM_CONFIG')!.value!) as object;
    expect(config).toMatchObject({ model: { textEncoderUri: 'pvc://encoders/clip' } });
  });

  it('mounts what fetching needs, and tells where, without a word of what Secrets hold', () => {
    const sources = {
      credentials: [
        { prefix: 's3://data', secretName: 'reader' },
        { prefix: 'hf://', secretName: 'hub' },
      ],
      cache: { claim: 'cache' },
      trustedCA: { configMapName: 'corporate-ca' },
    };
    const built = buildJob(
      aFinetune({ dataset: { format: 'cifar10', uri: 's3://data/x' }, sources }),
      settings,
    );
    const { env, volumeMounts } = containerOf(built);
    const folder = '/var/run/secrets/sources.sparsedm.io';
    expect(JSON.parse(env!.find(({ name }) => name === 'SPARSEDM_SOURCES')!.value!)).toEqual({
      credentials: [
        { prefix: 's3://data', secret: 'reader', folder: `${folder}/0` },
        { prefix: 'hf://', secret: 'hub', folder: `${folder}/1` },
      ],
      cache: '/mnt/pvc/cache/sparsedm-sources',
      trustedCA: '/etc/sparsedm/trusted-ca/ca.crt',
    });
    expect(built.spec!.template.spec!.volumes).toEqual(
      expect.arrayContaining([
        { name: 'source-0', secret: { secretName: 'reader' } },
        { name: 'source-1', secret: { secretName: 'hub' } },
        { name: 'trusted-ca', configMap: { name: 'corporate-ca' } },
      ]),
    );
    expect(volumeMounts).toEqual(
      expect.arrayContaining([
        { name: 'source-1', mountPath: `${folder}/1`, readOnly: true },
        { name: 'trusted-ca', mountPath: '/etc/sparsedm/trusted-ca', readOnly: true },
        { name: 'claim-0', mountPath: '/mnt/pvc/cache', readOnly: false },
      ]),
    );
  });

  it('gives the pod a token for reports and no other', () => {
    const { automountServiceAccountToken, volumes } = job.spec!.template.spec!;
    expect(automountServiceAccountToken).toBe(false);
    expect(volumes).toContainEqual({
      name: 'token',
      projected: {
        sources: [
          { serviceAccountToken: { audience: 'sparsedm.io', expirationSeconds: 3600, path: 'token' } },
        ],
      },
    });
  });

  it('takes over the settings of spec.trainer, and keeps its own labels', () => {
    const trainer = {
      image: 'mine:2',
      imagePullPolicy: 'Always' as const,
      imagePullSecrets: [{ name: 'registry' }],
      resources: { requests: { cpu: 2 }, limits: { 'nvidia.com/gpu': 1, memory: '8Gi' } },
      nodeSelector: { gpu: 'a100' },
      tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists' as const }],
      env: [{ name: 'OMP_NUM_THREADS', value: '2' }],
      serviceAccountName: 'trainer',
      priorityClassName: 'low',
      runtimeClassName: 'nvidia',
      podLabels: { team: 'vision', 'sparsedm.io/finetune': 'forged' },
      podAnnotations: { note: 'x' },
    };
    const { template } = buildJob(aFinetune({ trainer }), settings).spec!;
    const { image, imagePullPolicy, resources, env: variables } = template.spec!.containers[0]!;
    expect({ image, imagePullPolicy, resources }).toEqual({
      image: 'mine:2',
      imagePullPolicy: 'Always',
      resources: { requests: { cpu: '2' }, limits: { 'nvidia.com/gpu': '1', memory: '8Gi' } },
    });
    expect(variables).toContainEqual({ name: 'OMP_NUM_THREADS', value: '2' });
    expect(template.spec).toMatchObject({
      imagePullSecrets: [{ name: 'registry' }],
      nodeSelector: { gpu: 'a100' },
      tolerations: trainer.tolerations,
      serviceAccountName: 'trainer',
      priorityClassName: 'low',
      runtimeClassName: 'nvidia',
    });
    expect(template.metadata).toMatchObject({
      labels: { team: 'vision', 'sparsedm.io/finetune': 'shirts' },
      annotations: { note: 'x' },
    });
  });

  it.each([
    [{ limits: { 'nvidia.com/gpu': 4 } }, true],
    [{ limits: { 'amd.com/gpu': '2' } }, true],
    [{ limits: { 'nvidia.com/gpu': 1 } }, false],
    [{ limits: { memory: '8Gi' }, requests: { cpu: 4 } }, false],
    [undefined, false],
  ])('mounts shared memory for processes on several GPUs: %j', (resources, wanted) => {
    const { volumes, containers } = buildJob(aFinetune({ trainer: defined({ resources }) }), settings).spec!
      .template.spec!;
    const mounts = containers[0]!.volumeMounts!.filter(({ mountPath }) => mountPath === '/dev/shm');
    const named = volumes!.filter(({ emptyDir }) => emptyDir?.medium === 'Memory');
    expect([mounts, named]).toEqual(
      wanted
        ? [[{ name: 'shm', mountPath: '/dev/shm' }], [{ name: 'shm', emptyDir: { medium: 'Memory' } }]]
        : [[], []],
    );
  });

  it('is the same each time', () => {
    expect(buildJob(aFinetune(), settings)).toEqual(buildJob(aFinetune(), settings));
  });
});

describe('the controls of a running Job', () => {
  it.each([
    ['are as in the spec', {}, {}, false],
    ['differ in suspend', { suspend: true }, {}, true],
    ['differ in the backoff limit', { backoffLimit: 9 }, {}, true],
    ['lack the deadline', { activeDeadlineSeconds: 60 }, {}, true],
    ['have a deadline too many', {}, { activeDeadlineSeconds: 60 }, true],
    ['have the deadline', { activeDeadlineSeconds: 60 }, { activeDeadlineSeconds: 60 }, false],
  ])('%s', (_, spec, live, want) => {
    const job = aJob(aFinetune());
    const changed = { ...job, spec: { ...job.spec!, ...live } };
    expect(controlsDiffer(aFinetune(spec), changed)).toBe(want);
  });

  it('are applied to this very Job and nothing else of it', () => {
    expect(controlledJob(aFinetune({ activeDeadlineSeconds: 60 }), aJob(aFinetune()))).toEqual({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'shirts-train', namespace: 'ml', uid: 'job-uid' },
      spec: { backoffLimit: 3, activeDeadlineSeconds: 60 },
    });
  });

  const suspendedJob = (annotation?: string): Job => {
    const job = aJob(aFinetune());
    const annotations = annotation === undefined ? {} : { 'sparsedm.io/suspended': annotation };
    return { ...job, metadata: { ...job.metadata, annotations }, spec: { ...job.spec!, suspend: true } };
  };

  it.each<[string, boolean, Job, string[], object | undefined]>([
    ['is written with spec.suspend', true, aJob(aFinetune()), [], { ours: 'true', suspend: true }],
    ['is claimed where others hold it too', true, suspendedJob(), ['queue'], { ours: 'true', suspend: true }],
    ['is written once', true, suspendedJob('true'), [], undefined],
    [
      'is lifted when spec.suspend no longer asks for it',
      false,
      suspendedJob('true'),
      [],
      { ours: 'false', suspend: false },
    ],
    [
      'is left to those who hold it too',
      false,
      suspendedJob('true'),
      ['queue'],
      { ours: 'false', suspend: undefined },
    ],
    ['of others is left alone', false, suspendedJob(), ['queue'], undefined],
    ['of others is left alone after one of ours', false, suspendedJob('false'), ['queue'], undefined],
  ])('a suspension %s', (_, suspend, job, holders, want) => {
    const finetune = aFinetune({ suspend });
    expect(controlsDiffer(finetune, job)).toBe(want !== undefined);
    const { metadata, spec } = controlledJob(finetune, job, holders);
    const sent = { ours: metadata.annotations?.['sparsedm.io/suspended'], suspend: spec?.suspend };
    expect(sent).toEqual(
      want ?? (suspend ? { ours: 'true', suspend: true } : { ours: undefined, suspend: undefined }),
    );
  });

  it('are not sent with a suspension of others when something else changes', () => {
    const { spec } = controlledJob(aFinetune({ backoffLimit: 9 }), suspendedJob(), ['queue']);
    expect(spec).toEqual({ backoffLimit: 9 });
  });

  it('know the managers of a suspension from the managed fields, without the operator', () => {
    const entry = (manager: string, field: string) => ({ manager, fieldsV1: { 'f:spec': { [field]: {} } } });
    const managedFields = [
      entry('queue', 'f:suspend'),
      entry('kubectl', 'f:parallelism'),
      entry('sparsedm-operator', 'f:suspend'),
      { manager: 'kube-controller-manager', fieldsV1: { 'f:status': {} } },
    ];
    const job = aJob(aFinetune());
    expect(suspendManagers({ ...job, metadata: { ...job.metadata, managedFields } })).toEqual(['queue']);
    expect(suspendManagers(job)).toEqual([]);
  });
});
