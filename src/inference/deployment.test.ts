import { describe, expect, it } from 'vitest';
import { buildDeployment, scaledDeployment, templateInputs } from './deployment';
import { aDeployment, aService, settings, uriModel } from './fixtures';
import { buildService, selectorText, serviceUrl } from './service';

const tuned = { uri: 'pvc://models/a/b', sha256: 'a'.repeat(64), finetune: { name: 'tuned', uid: 'u' } };

describe('the Deployment', () => {
  const service = aService({ engine: { backend: 'auto', steps: 20 } });
  const deployment = buildDeployment(service, tuned, settings);
  const container = deployment.spec!.template.spec!.containers[0]!;
  const env = Object.fromEntries(container.env!.map(({ name, value }) => [name, value]));

  it('serves the model from its claim, read-only', () => {
    expect(container.command).toEqual(['sparsedm', 'serve']);
    expect(env).toMatchObject({
      SPARSEDM_MODEL: '/mnt/pvc/models/a/b',
      SPARSEDM_MODEL_NAME: 'shirts',
      SPARSEDM_MODEL_SHA256: tuned.sha256,
      SPARSEDM_ENGINE: '{"backend":"auto","steps":20}',
      SPARSEDM_REPORT_URL: 'http://operator.system.svc:8082/v1/services/ml/shirts/engine',
    });
    expect(container.volumeMounts).toContainEqual({
      name: 'claim-0',
      mountPath: '/mnt/pvc/models',
      readOnly: true,
    });
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
      template: { spec: { terminationGracePeriodSeconds: 60 } },
    });
  });

  it('is found by its Service and by the scale subresource', () => {
    const labels = deployment.spec!.template.metadata!.labels as Record<string, string>;
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

it('scaling hands the template back untouched', () => {
  const live = aDeployment(aService());
  const scaled = scaledDeployment(live, 5);
  expect(scaled.spec).toEqual({ ...live.spec, replicas: 5 });
  expect(scaled.metadata).toMatchObject({ name: 'shirts-server', uid: 'deployment-uid' });
  expect(scaled.status).toBeUndefined();
});
