import { describe, expect, it } from 'vitest';
import { aService, settings, uriModel } from '../../test/support/inference';
import type { Deployment } from '../kube/resources';
import { buildDeployment } from './deployment';
import {
  APPLIED_ANNOTATION,
  drift,
  fromRecord,
  hasRecord,
  ownedSpec,
  readRecord,
  withRecord,
} from './record';

const service = aService({
  server: {
    resources: { limits: { cpu: '0.5', memory: '1024Mi' } },
    env: [{ name: 'EMPTY', value: '' }],
  },
});
const applied = withRecord(buildDeployment(service, uriModel, settings));

/** The Deployment as the server would have it, after a change. */
function live(change: (spec: NonNullable<Deployment['spec']>) => void = () => undefined): Deployment {
  const { spec, metadata, ...rest } = structuredClone(applied);
  change(spec!);
  return { ...rest, metadata: { ...metadata, uid: 'u', generation: 1 }, spec: spec! };
}

const container = (spec: NonNullable<Deployment['spec']>) => spec.template.spec!.containers[0]!;

describe('the record of a Deployment', () => {
  it('holds what was applied, without the replicas', () => {
    const { replicas: _, ...spec } = applied.spec!;
    expect(readRecord(applied)).toEqual(JSON.parse(JSON.stringify(spec)));
  });

  it('makes the same Deployment again, and the same record', () => {
    const again = fromRecord(service, live(), readRecord(live())!);
    expect(readRecord(again)).toEqual(readRecord(applied));
    expect(again.spec).not.toHaveProperty('replicas');
    expect(again.metadata.annotations).toEqual(applied.metadata.annotations);
  });

  it('is left out where it would not fit, and then nothing is compared', () => {
    const env = Array.from({ length: 64 }, (_, index) => ({ name: `A${index}`, value: 'x'.repeat(4096) }));
    const large = withRecord(buildDeployment(aService({ server: { env } }), uriModel, settings));
    expect(large.metadata.annotations?.[APPLIED_ANNOTATION]).toBe('');
    expect([hasRecord(large), readRecord(large)]).toEqual([true, undefined]);
  });

  it.each([['not JSON'], ['"text"'], ['null']])('that is %s is none', (text) => {
    const spoilt = live();
    spoilt.metadata.annotations![APPLIED_ANNOTATION] = text;
    expect(readRecord(spoilt)).toBeUndefined();
  });
});

describe('drift', () => {
  it.each<[string, (spec: NonNullable<Deployment['spec']>) => void, string[]]>([
    ['nothing', () => undefined, []],
    [
      'the server’s own form of quantities and of empty values',
      (spec) => {
        container(spec).resources!.limits = { cpu: '500m', memory: '1Gi' };
        delete container(spec).env!.find(({ name }) => name === 'EMPTY')!.value;
      },
      [],
    ],
    ['replicas', (spec) => (spec.replicas = 9), []],
    [
      'what others add',
      (spec) => {
        container(spec).env!.push({ name: 'MESH', value: 'on' });
        spec.template.metadata!.annotations = { 'kubectl.kubernetes.io/restartedAt': 'noon' };
        spec.template.spec!.containers.push({ name: 'sidecar', image: 'x' });
      },
      [],
    ],
    ['an image', (spec) => (container(spec).image = 'evil'), ['spec.template.spec.containers[server].image']],
    [
      'a variable',
      (spec) => (container(spec).env![0]!.value = 'x'),
      ['spec.template.spec.containers[server].env[SPARSEDM_MODEL].value'],
    ],
    [
      'less memory',
      (spec) => (container(spec).resources!.limits!.memory = '1Mi'),
      ['spec.template.spec.containers[server].resources.limits.memory'],
    ],
    [
      'a looser security context',
      (spec) => (container(spec).securityContext!.allowPrivilegeEscalation = true),
      ['spec.template.spec.containers[server].securityContext.allowPrivilegeEscalation'],
    ],
    ['another strategy', (spec) => (spec.strategy = { type: 'Recreate' }), ['spec.strategy.type']],
    [
      'another way to end',
      (spec) => (spec.template.spec!.terminationGracePeriodSeconds = 1),
      ['spec.template.spec.terminationGracePeriodSeconds'],
    ],
  ])('of %s', (_, change, want) => {
    const desired = fromRecord(service, live(), readRecord(applied)!);
    expect(drift(live(change), desired).filter((path) => !path.includes('rollingUpdate'))).toEqual(want);
  });

  it('of a label by which the operator finds it', () => {
    const unlabelled = live();
    unlabelled.metadata.labels = {};
    expect(drift(unlabelled, applied)[0]).toBe('metadata.labels.app.kubernetes.io/name');
  });
});

describe('the spec that a manager owns', () => {
  const spec = {
    replicas: 2,
    minReadySeconds: 3,
    selector: { matchLabels: { a: 'b' } },
    template: {
      metadata: { labels: { a: 'b' }, annotations: { theirs: 'x' } },
      spec: {
        restartPolicy: 'Always',
        dnsPolicy: 'ClusterFirst',
        containers: [
          { name: 'sidecar', image: 'theirs' },
          {
            name: 'server',
            image: 'i',
            command: ['a', 'b'],
            env: [{ name: 'A', value: '1' }, { name: 'B' }],
          },
        ],
        volumes: [{ name: 'tmp', emptyDir: {} }],
      },
    },
  };
  const fieldsV1 = {
    'f:metadata': { 'f:labels': {} },
    'f:spec': {
      'f:replicas': {},
      'f:selector': {},
      'f:template': {
        'f:metadata': { 'f:labels': { 'f:a': {} } },
        'f:spec': {
          'f:restartPolicy': {},
          'f:containers': {
            'k:{"name":"server"}': {
              '.': {},
              'f:name': {},
              'f:image': {},
              'f:command': {},
              'f:env': { 'k:{"name":"A"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
            },
          },
          'f:volumes': { 'k:{"name":"tmp"}': { '.': {}, 'f:name': {}, 'f:emptyDir': {} } },
        },
      },
    },
  };
  const made = (manager: string, operation = 'Apply') =>
    ({
      ...applied,
      metadata: { ...applied.metadata, managedFields: [{ manager, operation, fieldsV1 }] },
      spec,
    }) as Deployment;

  it('is what it applied, without the replicas and without what others added', () => {
    expect(ownedSpec(made('operator'), 'operator')).toEqual({
      selector: { matchLabels: { a: 'b' } },
      template: {
        metadata: { labels: { a: 'b' } },
        spec: {
          restartPolicy: 'Always',
          containers: [{ name: 'server', image: 'i', command: ['a', 'b'], env: [{ name: 'A', value: '1' }] }],
          volumes: [{ name: 'tmp', emptyDir: {} }],
        },
      },
    });
  });

  it.each([
    ['another one', made('somebody')],
    ['its updates', made('operator', 'Update')],
  ])('is not known from %s', (_, deployment) => {
    expect(ownedSpec(deployment, 'operator')).toBeUndefined();
  });
});
