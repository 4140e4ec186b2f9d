import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
import { aService, settings, uriModel } from '../../test/support/inference';
import { buildDeployment, RESTART_ANNOTATION, templateInputs, templateModel } from './deployment';
import { buildService, selectorText, serviceUrl } from './service';

const tuned = { uri: 'pvc://models/a/b', sha256: 'a'.repeat(64), finetune: { name: 'tuned', uid: 'u' } };

describe('the Deployment', () => {
  const service = aService({
    engine: { backend: 'auto', steps: 20, maxSteps: 50, deterministic: true, corsAllowedOrigins: ['*'] },
  });
  const deployment = buildDeployment(service, tuned, settings);
  const container = deployment.spec!.template.spec!.containers[0]!;
  const env = Object.fromEntries(container.env!.map(({ name, value }) => [name, value]));

  it('serves the model from its claim, read-only', () => {
    expect(container.command).toEqual(['sparsedm', 'serve']);
    expect(env).toMatchObject({
      SPARSEDM_MODEL: '/mnt/pvc/models/a/b',
      SPARSEDM_MODEL_NAME: 'shirts',
      SPARSEDM_MODEL_SHA256: tuned.sha256,
      SPARSEDM_ENGINE:
        '{"backend":"auto","steps":20,"maxSteps":50,"deterministic":true,"corsAllowedOrigins":["*"]}',
      SPARSEDM_REPORT_URL: 'http://operator.system.svc:8082/v1/services/ml/shirts/engine',
    });
    expect(container.volumeMounts).toContainEqual({
      name: 'claim-0',
      mountPath: '/mnt/pvc/models',
      readOnly: true,
    });
  });

  it.each([
    ['nothing', {}, undefined],
    ['its default', { qualityMonitor: { samplePercent: 10 } }, '{"samplePercent":10}'],
    [
      'what the spec says, without the bound',
      { qualityMonitor: { samplePercent: 50, maxDistanceIncreasePercent: 20 } },
      '{"samplePercent":50}',
    ],
  ])('samples %s', (_, spec, want) => {
    const { template } = buildDeployment(aService(spec), uriModel, settings).spec!;
    const found = template.spec!.containers[0]!.env!.find(({ name }) => name === 'SPARSEDM_QUALITY_MONITOR');
    expect(found?.value).toBe(want);
  });

  it('lets the server fetch a model that lies elsewhere', () => {
    const sources = {
      credentials: [{ prefix: 's3://models', secretName: 'reader' }],
      cache: { claim: 'cache' },
    };
    const uri = 's3://models/shirts';
    const built = buildDeployment(aService({ model: { uri }, sources }), { uri }, settings);
    const { containers, volumes } = built.spec!.template.spec!;
    const given = Object.fromEntries(containers[0]!.env!.map(({ name, value }) => [name, value]));
    expect(given.SPARSEDM_MODEL).toBe(uri);
    expect(JSON.parse(given.SPARSEDM_SOURCES!)).toMatchObject({
      credentials: [{ prefix: 's3://models', secret: 'reader' }],
      cache: '/mnt/pvc/cache/sparsedm-sources',
    });
    expect(volumes!.map(({ name }) => name)).toEqual(['tmp', 'token', 'source-0', 'claim-0']);
  });

  it('expects no digest of a model that was given by its URI', () => {
    const names = buildDeployment(service, { ...uriModel, sha256: 'x' }, settings).spec!.template.spec!
      .containers[0]!.env!;
    expect(names.map(({ name }) => name)).not.toContain('SPARSEDM_MODEL_SHA256');
  });

  it('is probed, drained, and rolled out without a gap', () => {
    expect(container).toMatchObject({
      ports: [{ name: 'http', containerPort: 8080 }],
      startupProbe: { httpGet: { path: '/v2/health/live' } },
      livenessProbe: { httpGet: { path: '/v2/health/live' } },
      readinessProbe: { httpGet: { path: '/v2/health/ready' } },
    });
    expect(deployment.spec).toMatchObject({
      strategy: { rollingUpdate: { maxUnavailable: 0 } },
      template: { spec: { terminationGracePeriodSeconds: 300 } },
    });
  });

  it.each([
    ['by default', {}, 300, '295'],
    ['as the spec says', { terminationGracePeriodSeconds: 30 }, 30, '25'],
  ])('ends in a time of which the server knows, %s', (_, server, wantGrace, wantOwn) => {
    const { template } = buildDeployment(aService({ server }), uriModel, settings).spec!;
    const values = Object.fromEntries(
      template.spec!.containers[0]!.env!.map(({ name, value }) => [name, value]),
    );
    expect(template.spec!.terminationGracePeriodSeconds).toBe(wantGrace);
    expect(values).toMatchObject({ SPARSEDM_GRACE_SECONDS: wantOwn, SPARSEDM_DRAIN_DELAY_SECONDS: '10' });
  });

  it('may take as long to start as its probe allows before the rollout counts as stuck', () => {
    const { periodSeconds = 0, failureThreshold = 0 } = container.startupProbe!;
    const { progressDeadlineSeconds = 0, template } = deployment.spec!;
    const grace = template.spec!.terminationGracePeriodSeconds!;
    expect(progressDeadlineSeconds).toBeGreaterThan(periodSeconds * failureThreshold + grace);
  });

  it('is made anew at every restart that is asked for', () => {
    const restarted = (at: string) => {
      const one = aService();
      one.metadata.annotations = { [RESTART_ANNOTATION]: at };
      return buildDeployment(one, tuned, settings);
    };
    const annotations = restarted('noon').spec!.template.metadata!.annotations;
    expect(annotations).toEqual({ [RESTART_ANNOTATION]: 'noon' });
    const inputs = ['noon', 'night'].map((at) => restarted(at).metadata.annotations);
    expect(inputs[0]).not.toEqual(inputs[1]);
  });

  it('is found by its Service and by the scale subresource', () => {
    const { 'sparsedm.io/revision': revision, ...labels } = deployment.spec!.template.metadata!
      .labels as Record<string, string>;
    expect(revision).toMatch(/^shirts-[0-9a-f]{10}$/);
    expect(deployment.spec?.selector.matchLabels).toEqual(labels);
    expect(buildService(service).spec?.selector).toEqual(labels);
    expect(
      selectorText(service)
        .split(',')
        .map((pair) => pair.split('=')),
    ).toEqual(Object.entries(labels));
    expect(serviceUrl(service)).toBe('http://shirts.ml.svc');
  });
});

describe('the inputs of a template', () => {
  const base = templateInputs(aService(), tuned);
  it.each([
    ['the model', aService(), { ...tuned, uri: 'pvc://models/c' }, false],
    ['the digest of a SparseFinetune’s model', aService(), { ...tuned, sha256: 'b' }, false],
    ['the engine', aService({ engine: { steps: 5 } }), tuned, false],
    ['the server', aService({ server: { image: 'x' } }), tuned, false],
    ['only the replicas', aService({ replicas: 9 }), tuned, true],
    ['only the gate', aService({ qualityGate: { maxFidIncrease: '1' } }), tuned, true],
    ['only figures of the model', aService(), { ...tuned, pattern: '2:4' }, true],
  ])('change with %s: %#', (_, service, model, wantSame) => {
    expect(templateInputs(service, model) === base).toBe(wantSame);
  });

  it('do not change with what a server reports about a model by URI', () => {
    expect(templateInputs(aService(), { ...uriModel, sha256: 'x' })).toBe(
      templateInputs(aService(), uriModel),
    );
  });

  it('do not change with the order of fields', () => {
    const one = aService({ engine: { steps: 5, backend: 'dense' } });
    const other = aService({ engine: { backend: 'dense', steps: 5 } });
    expect(templateInputs(one, tuned)).toBe(templateInputs(other, tuned));
  });
});

describe('the model of a template', () => {
  const candidates = [{ uri: 'pvc://models/other' }, uriModel, { ...tuned, sha256: 'b'.repeat(64) }, tuned];

  it.each([
    ['given by its URI', uriModel],
    ['of a SparseFinetune, told from another at the same place', tuned],
  ])('is found: %s', (_, model) => {
    expect(templateModel(buildDeployment(aService(), model, settings), candidates)).toBe(model);
  });

  it('is none of those that it does not name', () => {
    const deployment = buildDeployment(aService(), { uri: 'pvc://models/third' }, settings);
    expect(templateModel(deployment, [undefined, ...candidates])).toBeUndefined();
  });
});

type Schema = { default?: unknown; properties?: Record<string, Schema> };

function defaultsOf(schema: Schema, path: string): string[] {
  const own = schema.default === undefined ? [] : [`${path}: ${JSON.stringify(schema.default)}`];
  const parts = Object.entries(schema.properties ?? {});
  return [...own, ...parts.flatMap(([name, part]) => defaultsOf(part, `${path}.${name}`))];
}

it('has no further default in the schema, which would restart the servers of every stored service', async () => {
  const text = await readFile('crds/sparsedm.io_sparseinferenceservices.yaml', 'utf8');
  const crd = parse(text) as { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } };
  const { engine, server } = crd.spec.versions[0]!.schema.openAPIV3Schema.properties!.spec!.properties!;
  expect([...defaultsOf(engine!, 'engine'), ...defaultsOf(server!, 'server')]).toEqual([
    'engine: {}',
    'engine.backend: "auto"',
    'engine.precision: "auto"',
    'engine.steps: 20',
    'engine.guidance: "0.5"',
    'engine.maxBatchSize: 8',
    'engine.maxBatchDelayMilliseconds: 5',
    'engine.maxQueue: 64',
  ]);
});
