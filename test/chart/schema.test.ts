import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { documentedValues } from '../../scripts/chart';
import { chart, render, type Values } from './helm';

type Schema = {
  type?: string;
  description?: string;
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
};

const schema = JSON.parse(readFileSync(path.join(chart, 'values.schema.json'), 'utf8')) as Schema;
const documented = documentedValues(readFileSync(path.join(chart, 'values.yaml'), 'utf8'));

function schemaPaths(node: Schema, prefix = ''): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => [
    prefix + name,
    ...schemaPaths(child, `${prefix}${name}.`),
  ]);
}

function nodes(node: Schema, name = 'values'): [string, Schema][] {
  return [
    [name, node],
    ...Object.entries(node.properties ?? {}).flatMap(([key, child]) => nodes(child, `${name}.${key}`)),
  ];
}

describe('values.schema.json', () => {
  it('knows each value of values.yaml', () => {
    const known = schemaPaths(schema);
    expect(documented.map(({ path: name }) => name).filter((name) => !known.includes(name))).toEqual([]);
  });

  it('knows no value that values.yaml does not document, but what Helm itself passes', () => {
    const names = documented.map(({ path: name }) => name);
    const covered = (name: string) =>
      names.some((one) => one === name || one.startsWith(`${name}.`) || name.startsWith(`${one}.`));
    expect(schemaPaths(schema).filter((name) => !covered(name))).toEqual(['global', 'enabled']);
  });

  it('is closed and described everywhere', () => {
    for (const [name, node] of nodes(schema)) {
      if (name !== 'values') expect(node.description, name).toMatch(/\.$/);
      if (node.properties) expect(node.additionalProperties, name).toBe(false);
    }
  });
});

const refused: [string, Values, RegExp][] = [
  ['a wrong name', { replicaCount: 2 }, /additional properties 'replicaCount' not allowed/],
  ['a wrong name inside', { image: { repo: 'x' } }, /at '\/image': additional properties 'repo' not allowed/],
  [
    'an image as text',
    { trainer: { image: 'me/trainer:1' } },
    /at '\/trainer\/image': got string, want object/,
  ],
  [
    'a tag inside the repository',
    { image: { repository: 'me/operator:1.0' } },
    /at '\/image\/repository'.*does not match pattern/,
  ],
  [
    'a tag that YAML reads as a number',
    { image: { tag: 1.1 } },
    /at '\/image\/tag': got number, want string/,
  ],
  [
    'a digest without its algorithm',
    { image: { digest: 'ab'.repeat(32) } },
    /at '\/image\/digest'.*does not match pattern/,
  ],
  [
    'a digest too short',
    { serving: { image: { digest: 'sha256:abc' } } },
    /at '\/serving\/image\/digest'.*does not match pattern/,
  ],
  [
    'an unknown pull policy',
    { image: { pullPolicy: 'Sometimes' } },
    /at '\/image\/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'/,
  ],
  ['a number as text', { replicas: '2' }, /at '\/replicas': got string, want integer/],
  ['too many replicas', { replicas: 100 }, /at '\/replicas': maximum: got 100, want 10/],
  ['a negative number', { replicas: -1 }, /at '\/replicas': minimum: got -1, want 0/],
  ['one namespace as text', { watchNamespaces: 'team-a' }, /at '\/watchNamespaces': got string, want array/],
  [
    'an impossible namespace',
    { watchNamespaces: ['Team_A'] },
    /at '\/watchNamespaces\/0': 'Team_A' does not match pattern/,
  ],
  [
    'a namespace twice',
    { watchNamespaces: ['a', 'a'] },
    /at '\/watchNamespaces': items at 0 and 1 are equal/,
  ],
  ['an unknown log level', { log: { level: 'verbose' } }, /at '\/log\/level': value must be one of/],
  [
    'a duration without a unit',
    { leaderElection: { leaseDuration: '15' } },
    /at '\/leaderElection\/leaseDuration'.*does not match pattern/,
  ],
  ['yes for true', { crds: { keep: 'yes' } }, /at '\/crds\/keep': got string, want boolean/],
  [
    'a quantity with a typo',
    { resources: { limits: { memory: '512MB' } } },
    /at '\/resources\/limits\/memory'/,
  ],
  [
    'a secret without a name',
    { imagePullSecrets: ['registry'] },
    /at '\/imagePullSecrets\/0': got string, want object/,
  ],
  ['environment as a map', { extraEnv: { A: 'b' } }, /at '\/extraEnv': got object, want array/],
  [
    'a number as a variable',
    { extraEnv: [{ name: 'A', value: 1 }] },
    /at '\/extraEnv\/0\/value': got number, want string/,
  ],
  [
    'a label of the chart itself',
    { podLabels: { 'app.kubernetes.io/name': 'x' } },
    /at '\/podLabels\/app.kubernetes.io~1name': false schema/,
  ],
  [
    "a label of the chart itself among everybody's",
    { commonLabels: { 'helm.sh/chart': 'x' } },
    /at '\/commonLabels\/helm.sh~1chart': false schema/,
  ],
  [
    'a label that gives every user the rights of the operator',
    { commonLabels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
    /at '\/commonLabels\/rbac.authorization.k8s.io~1aggregate-to-view': false schema/,
  ],
  [
    'a user as text',
    { workloads: { podSecurityContext: { runAsUser: '5000' } } },
    /at '\/workloads\/podSecurityContext\/runAsUser': got string, want integer/,
  ],
  [
    'a field that a pod security context lacks',
    { workloads: { podSecurityContext: { privileged: true } } },
    /at '\/workloads\/podSecurityContext': additional properties 'privileged' not allowed/,
  ],
  ['yes for auto', { workloads: { omitIds: true } }, /at '\/workloads\/omitIds': value must be one of/],
  [
    'a secret name that can not be one',
    { imagePullSecrets: [{ name: 'My_Secret' }] },
    /at '\/imagePullSecrets\/0\/name': 'My_Secret' does not match pattern/,
  ],
  [
    'a name of which no Service can be made',
    { nameOverride: '7b' },
    /at '\/nameOverride': '7b' does not match pattern/,
  ],
  [
    'a label that is no text',
    { commonLabels: { team: 7 } },
    /at '\/commonLabels\/team': got number, want string/,
  ],
  [
    'an interval without a unit',
    { metrics: { serviceMonitor: { interval: '30' } } },
    /at '\/metrics\/serviceMonitor\/interval'/,
  ],
  [
    'an empty peer',
    { networkPolicy: { metricsFrom: [{}] } },
    /at '\/networkPolicy\/metricsFrom\/0': minProperties/,
  ],
  [
    'a peer with a typo',
    { networkPolicy: { metricsFrom: [{ namespace: 'a' }] } },
    /additional properties 'namespace' not allowed/,
  ],
  [
    'a name too long',
    { fullnameOverride: 'x'.repeat(53) },
    /at '\/fullnameOverride': maxLength: got 53, want 52/,
  ],
];

describe('values that are refused', () => {
  it.each(refused)('%s', async (_, values, want) => {
    await expect(render(values)).rejects.toThrow(want);
  });
});

it('values of a parent chart are accepted', async () => {
  await expect(render({ global: { imageRegistry: 'x' }, enabled: true })).resolves.toBeDefined();
});
