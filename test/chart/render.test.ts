import { describe, expect, it } from 'vitest';
import { operatorCommand, type Config } from '../../src/config';
import { POD_DEFAULTS } from '../../src/workload/pod';
import { cases } from './cases';
import {
  deploymentSpec,
  helm,
  chart,
  ofKind,
  only,
  operatorContainer,
  render,
  renderUncached,
  type Manifest,
  type Values,
} from './helm';

function countKinds(manifests: readonly Manifest[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of manifests) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** The configuration that the operator reads from its container's arguments. */
async function configOf(manifests: readonly Manifest[]): Promise<Config> {
  let config: Config | undefined;
  const command = operatorCommand({ POD_NAMESPACE: 'sparsedm-system', POD_NAME: 'pod' }, (read) => {
    config = read;
    return Promise.resolve();
  });
  const [name, ...flags] = operatorContainer(manifests).args;
  expect(name).toBe('operator');
  await command.exitOverride().parseAsync(flags, { from: 'user' });
  if (!config) throw new Error('the operator did not take its arguments');
  return config;
}

describe.each(cases)('installed with $name', ({ values, options, wantKinds }) => {
  it('passes helm lint --strict', async () => {
    await helm(
      ['lint', '--strict', chart, '--values', '-', ...lintApis(options?.apiVersions)],
      JSON.stringify(values),
    );
  });

  it('renders exactly the objects it needs', async () => {
    expect(countKinds(await render(values, options))).toEqual(wantKinds);
  });

  it('labels every object and puts the namespaced ones where they belong', async () => {
    const manifests = await render(values, options);
    for (const { kind, metadata } of manifests) {
      expect(metadata.labels, kind).toMatchObject({
        'app.kubernetes.io/name': 'sparsedm-operator',
        'app.kubernetes.io/instance': 'sparsedm',
        'app.kubernetes.io/version': '0.1.0',
        'app.kubernetes.io/managed-by': 'Helm',
        'helm.sh/chart': 'sparsedm-operator-0.1.0',
        ...(kind === 'ServiceMonitor' ? {} : (values.commonLabels as object | null | undefined)),
        ...(kind === 'ServiceMonitor' ? monitorLabels(values) : {}),
      });
      const clusterWide = kind.startsWith('Cluster') || kind === 'CustomResourceDefinition';
      expect(metadata.namespace === undefined, `${kind} ${metadata.name}`).toBe(clusterWide);
    }
    const names = manifests.map(
      ({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''} ${metadata.name}`,
    );
    expect(new Set(names).size).toBe(names.length);
  });

  it('runs the operator without any privilege', async () => {
    const manifests = await render(values, options);
    const { spec } = deploymentSpec(manifests).template;
    expect(spec.securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(spec.hostNetwork ?? spec.hostPID ?? spec.hostIPC).toBeUndefined();
    expect(spec.volumes).toEqual(values.extraVolumes);
    expect(operatorContainer(manifests).securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it('gives the operator arguments that it takes, and a report address that its Service answers', async () => {
    const manifests = await render(values, options);
    const config = await configOf(manifests);
    const service = only(manifests, 'Service');
    expect(config.reportsUrl).toBe(`http://${service.metadata.name}.sparsedm-system.svc:8082`);
    expect(config.leaderElection.leaseNamespace).toBe('sparsedm-system');
    expect(config.namespaces).toEqual(values.watchNamespaces ?? []);
    const ports = Object.fromEntries(
      operatorContainer(manifests).ports.map((port) => [port.name, port.containerPort]),
    );
    expect(ports).toEqual(config.ports);
    expect(service.spec).toMatchObject({
      selector: deploymentSpec(manifests).selector.matchLabels,
      ports: [
        { name: 'metrics', port: config.ports.metrics, targetPort: 'metrics' },
        { name: 'reports', port: config.ports.reports, targetPort: 'reports' },
      ],
    });
  });

  it('selects its own pods', async () => {
    const { selector, template } = deploymentSpec(await render(values, options));
    expect(template.metadata.labels).toMatchObject(selector.matchLabels);
  });
});

function monitorLabels({ metrics }: Values): Record<string, string> {
  return (metrics as { serviceMonitor: { labels: Record<string, string> } }).serviceMonitor.labels;
}

function lintApis(apiVersions: readonly string[] = []): string[] {
  return apiVersions.length > 0 ? ['--set', 'metrics.serviceMonitor.enabled=false'] : [];
}

describe('the Deployment', () => {
  it('probes the health port', async () => {
    const container = operatorContainer(await render());
    expect(container.startupProbe.httpGet).toEqual({ path: '/healthz', port: 'health' });
    expect(container.livenessProbe.httpGet).toEqual({ path: '/healthz', port: 'health' });
    expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'health' });
  });

  it('starts the next pod before it stops the last one', async () => {
    const { replicas, strategy } = deploymentSpec(await render());
    expect(replicas).toBe(1);
    expect(strategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } });
  });

  it('never runs two pods side by side without a lease', async () => {
    const manifests = await render({ leaderElection: { enabled: false } });
    expect(deploymentSpec(manifests).strategy).toEqual({ type: 'Recreate' });
    expect((await configOf(manifests)).leaderElection.enabled).toBe(false);
    await expect(render({ leaderElection: { enabled: false }, replicas: 2 })).rejects.toThrow(
      'replicas above 1 need leaderElection.enabled=true',
    );
  });

  it('passes the timing of the lease on', async () => {
    const timing = { leaseDuration: '1m', renewDeadline: '40s', retryPeriod: '500ms' };
    const { leaderElection } = await configOf(await render({ leaderElection: timing }));
    expect(leaderElection.timing).toEqual({ leaseMs: 60_000, renewDeadlineMs: 40_000, retryMs: 500 });
  });

  it('takes the chart version for images unless told otherwise', async () => {
    const manifests = await render();
    expect(operatorContainer(manifests)).toMatchObject({
      image: 'sparsedm/operator:0.1.0',
      imagePullPolicy: 'IfNotPresent',
    });
    expect((await configOf(manifests)).images).toEqual({
      trainer: 'sparsedm/trainer:0.1.0',
      server: 'sparsedm/serving:0.1.0',
    });
  });

  it('lets a digest win over a tag', async () => {
    const digest = `sha256:${'ab'.repeat(32)}`;
    const image = { tag: '9.9.9', digest };
    const manifests = await render({
      image,
      trainer: { image },
      serving: { image: { repository: 'localhost:5000/s' } },
    });
    expect(operatorContainer(manifests).image).toBe(`sparsedm/operator@${digest}`);
    expect((await configOf(manifests)).images).toEqual({
      trainer: `sparsedm/trainer@${digest}`,
      server: 'localhost:5000/s:0.1.0',
    });
  });

  it('spreads replicas over nodes and lets a drain take one at a time', async () => {
    const manifests = await render({ replicas: 3 });
    const { selector, template } = deploymentSpec(manifests);
    expect(template.spec.topologySpreadConstraints).toEqual([
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: selector,
      },
    ]);
    expect(only(manifests, 'PodDisruptionBudget').spec).toEqual({
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector,
    });
  });

  it('passes on what is set about its pod', async () => {
    const { values } = cases.find(({ name }) => name === 'everything about the pod set')!;
    const manifests = await render(values);
    const { template } = deploymentSpec(manifests);
    expect(template.metadata.labels).toMatchObject({ team: 'vision', cost: '42', sidecar: 'no' });
    expect(template.metadata.annotations).toMatchObject({ note: 'a: b' });
    const { nodeSelector, tolerations, affinity, topologySpreadConstraints, resources, extraEnv } = values;
    expect(template.spec).toMatchObject({ nodeSelector, tolerations, affinity, topologySpreadConstraints });
    expect(template.spec.terminationGracePeriodSeconds).toBe(60);
    const container = operatorContainer(manifests);
    expect(container.resources).toEqual(resources);
    expect(container.env).toEqual(expect.arrayContaining(extraEnv as object[]));
    expect(await configOf(manifests)).toMatchObject({
      logLevel: 'debug',
      concurrency: 32,
      keda: false,
      debugEndpoints: true,
    });
    expect(only(manifests, 'ServiceAccount').metadata.annotations).toEqual({
      'example.com/role': 'operator',
    });
  });

  it('pulls with the given secrets and runs in the given priority class', async () => {
    const { spec } = deploymentSpec(
      await render({ imagePullSecrets: [{ name: 'registry' }], priorityClassName: 'high' }),
    ).template;
    expect(spec).toMatchObject({ imagePullSecrets: [{ name: 'registry' }], priorityClassName: 'high' });
  });
});

describe('names', () => {
  it.each([
    ['sparsedm', {}, 'sparsedm-operator'],
    ['sparsedm-operator', {}, 'sparsedm-operator'],
    ['prod-sparsedm-operator', {}, 'prod-sparsedm-operator'],
    ['ml', {}, 'ml-sparsedm-operator'],
    ['ml', { nameOverride: 'sparse' }, 'ml-sparse'],
    ['ml', { fullnameOverride: 'x' }, 'x'],
    ['a'.repeat(53), {}, 'a'.repeat(52)],
    ['v1.2', {}, 'v1-2-sparsedm-operator'],
    ['team.sparsedm-operator', {}, 'team-sparsedm-operator'],
    ['7b', {}, 'sparsedm-7b-sparsedm-operator'],
    ['7', { nameOverride: 'b' }, 'sparsedm-7-b'],
    ['1.2', { fullnameOverride: 'true' }, 'true'],
    [`${'a'.repeat(50)}.bc`, {}, `${'a'.repeat(50)}-b`],
    [`${'a'.repeat(50)}--c`, {}, 'a'.repeat(50)],
    [`${'a'.repeat(33)}`, { nameOverride: 'b'.repeat(52) }, `${'a'.repeat(33)}-${'b'.repeat(18)}`],
  ])('of release %s with %j are %s', async (release, values, want) => {
    const manifests = await render(values, { release, namespace: '123' });
    // RFC 1035, which the name of a Service keeps to.
    expect(want).toMatch(/^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/);
    for (const { metadata } of manifests) {
      expect(typeof metadata.name).toBe('string');
      expect(typeof (metadata.namespace ?? '')).toBe('string');
      for (const value of Object.values(metadata.labels ?? {})) expect(typeof value).toBe('string');
      expect(metadata.labels?.['app.kubernetes.io/instance']).toBe(release);
    }
    for (const kind of ['Deployment', 'Service', 'ServiceAccount']) {
      expect(only(manifests, kind).metadata.name).toBe(want);
    }
    expect((await configOf(manifests)).leaderElection.leaseName).toBe(want);
  });

  it('of cluster-wide objects differ between namespaces', async () => {
    const clusterNames = async (namespace: string) =>
      (await render({}, { namespace }))
        .filter(({ kind }) => kind.startsWith('Cluster'))
        .map(({ metadata }) => metadata.name);
    const here = await clusterNames('a');
    const there = await clusterNames('b');
    expect(here.filter((name) => there.includes(name))).toEqual([]);
  });
});

describe('what is merged', () => {
  const { values, options } = cases.find(({ name }) => name === 'the same keys everywhere')!;

  it('labels of the pods: common ones, then podLabels, then what the Deployment selects by', async () => {
    const { template, selector } = deploymentSpec(await render(values, options));
    expect(template.metadata.labels).toEqual({
      team: 'vision',
      number: '1.2',
      release: 'common',
      sidecar: 'pod',
      'app.kubernetes.io/version': '9',
      'app.kubernetes.io/part-of': 'ml',
      ...selector.matchLabels,
    });
  });

  it('annotations of the pods: the chart’s, then podAnnotations', async () => {
    const { template } = deploymentSpec(await render(values, options));
    expect(template.metadata.annotations).toEqual({ 'kubectl.kubernetes.io/default-container': 'proxy' });
  });

  it('labels of the ServiceMonitor: all others, then its own', async () => {
    const { metadata } = only(await render(values, options), 'ServiceMonitor');
    expect(metadata.labels).toMatchObject({
      team: 'vision',
      release: 'monitor',
      'app.kubernetes.io/part-of': 'ml',
    });
  });

  it('keeps each variable of the operator once', async () => {
    const names = operatorContainer(await render(values, options)).env.map(({ name }) => name);
    expect(names).toEqual(['POD_NAME', 'POD_NAMESPACE', 'NODE_EXTRA_CA_CERTS']);
  });

  it.each([
    [['POD_NAME'], 'extraEnv: POD_NAME is set by the chart itself: remove it from extraEnv'],
    [['SPARSEDM_LOG_LEVEL'], "SPARSEDM_LOG_LEVEL is one of the operator's settings"],
    [['A', 'B', 'A'], 'extraEnv: A is there twice'],
  ])('refuses the variables %j', async (names, want) => {
    const extraEnv = names.map((name) => ({ name, value: 'x' }));
    await expect(render({ extraEnv })).rejects.toThrow(want);
  });
});

describe('training and serving pods', () => {
  const podDefaults = async (...how: Parameters<typeof render>) =>
    (await configOf(await render(...how))).podDefaults;
  const openShift = { apiVersions: ['security.openshift.io/v1'] };
  const unnamed = {
    runAsNonRoot: true,
    fsGroupChangePolicy: 'OnRootMismatch',
    seccompProfile: { type: 'RuntimeDefault' },
  };

  it('get what the operator gives them by itself', async () => {
    expect(await podDefaults()).toEqual(POD_DEFAULTS);
  });

  it('get the pull secrets of the chart', async () => {
    const imagePullSecrets = [{ name: 'registry' }, { name: 'mirror' }];
    expect((await podDefaults({ imagePullSecrets })).imagePullSecrets).toEqual(['registry', 'mirror']);
  });

  it.each([
    ['on OpenShift', {}, openShift, unnamed],
    ['when told to', { workloads: { omitIds: 'always' } }, {}, unnamed],
    ['not where told not to', { workloads: { omitIds: 'never' } }, openShift, POD_DEFAULTS.securityContext],
  ])('name no user and no group %s', async (_, values, options, want) => {
    expect((await podDefaults(values, options)).securityContext).toEqual(want);
  });

  it('run as a user of your choice', async () => {
    const ids = { runAsUser: 5000, runAsGroup: 0, fsGroup: 2147483647 };
    const { securityContext } = await podDefaults({ workloads: { podSecurityContext: ids } });
    expect(securityContext).toEqual({ ...POD_DEFAULTS.securityContext, ...ids });
  });

  it('lose a field by null', async () => {
    const { values } = cases.find(({ name }) => name === 'maps removed by null')!;
    const { runAsUser, runAsGroup, ...rest } = POD_DEFAULTS.securityContext;
    expect([runAsUser, runAsGroup]).toEqual([10001, 10001]);
    expect((await podDefaults(values)).securityContext).toEqual({ ...rest, fsGroup: 5000 });
  });
});

describe('optional objects', () => {
  it('a ServiceMonitor selects the Service, and is refused where nothing reads it', async () => {
    const values = {
      metrics: { serviceMonitor: { enabled: true, interval: '15s', labels: { release: 'p' } } },
    };
    const manifests = await render(values, { apiVersions: ['monitoring.coreos.com/v1'] });
    const monitor = only(manifests, 'ServiceMonitor');
    expect(monitor.metadata.labels).toMatchObject({ release: 'p' });
    const { selector, endpoints } = monitor.spec as {
      selector: { matchLabels: Record<string, string> };
      endpoints: object[];
    };
    expect(only(manifests, 'Service').metadata.labels).toMatchObject(selector.matchLabels);
    expect(endpoints).toEqual([{ port: 'metrics', path: '/metrics', interval: '15s' }]);
    await expect(render(values)).rejects.toThrow(
      /needs the Prometheus operator.*--api-versions monitoring\.coreos\.com\/v1/,
    );
  });

  it('a NetworkPolicy lets in reports from the pods of the operator and from gateways, and metrics from the given peers', async () => {
    const from = [{ podSelector: { matchLabels: { app: 'prometheus' } } }];
    const policy = only(
      await render({ networkPolicy: { enabled: true, metricsFrom: from } }),
      'NetworkPolicy',
    );
    expect(policy.spec).toMatchObject({
      policyTypes: ['Ingress'],
      ingress: [
        {
          ports: [{ port: 'reports' }],
          from: [
            {
              namespaceSelector: {},
              podSelector: { matchLabels: { 'app.kubernetes.io/managed-by': 'sparsedm-operator' } },
            },
            { podSelector: { matchLabels: { 'app.kubernetes.io/component': 'gateway' } } },
          ],
        },
        { ports: [{ port: 'metrics' }], from },
      ],
    });
  });

  it('without peers, a NetworkPolicy lets everybody read the metrics', async () => {
    const policy = only(await render({ networkPolicy: { enabled: true } }), 'NetworkPolicy');
    expect((policy.spec as { ingress: object[] }).ingress[1]).toEqual({ ports: [{ port: 'metrics' }] });
  });

  it.each([
    [{}, 'keep'],
    [{ crds: { keep: false } }, undefined],
  ])('with %j the definitions have the resource policy %s', async (values, want) => {
    for (const crd of ofKind(await render(values), 'CustomResourceDefinition')) {
      expect(crd.metadata.annotations?.['helm.sh/resource-policy']).toBe(want);
    }
  });
});

describe('NOTES.txt', () => {
  const notes = async (values: object) => {
    const output = await helm(
      ['install', 'ml', chart, '--namespace', 'ns', '--dry-run=client', '--values', '-'],
      JSON.stringify(values),
    );
    return output.slice(output.indexOf('NOTES:'));
  };

  it('names what was installed and the next three commands', async () => {
    const text = await notes({});
    expect(text).toContain('SparseDM operator 0.1.0 is installed as ns/ml-sparsedm-operator.');
    expect(text.match(/^ {2}kubectl .*$/gm)).toHaveLength(3);
    expect(text).toContain('kubectl --namespace ns rollout status deployment/ml-sparsedm-operator');
  });

  it('asks for the images where nobody has said where they are', async () => {
    const asks = 'image.repository is the default';
    expect(await notes({})).toContain(asks);
    expect(await notes({ image: { repository: 'registry.example.com/ml/operator' } })).not.toContain(asks);
  });

  it('says what is left to do when parts are left out', async () => {
    const text = await notes({
      watchNamespaces: ['a', 'b'],
      crds: { install: false },
      rbac: { create: false },
    });
    expect(text).toContain('It handles resources in: a, b.');
    expect(text).toContain('crds.install=false');
    expect(text).toContain('rbac.create=false');
  });
});

it('renders the same text every time', async () => {
  expect(await renderUncached()).toBe(await renderUncached());
});
