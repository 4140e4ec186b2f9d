import { describe, expect, it } from 'vitest';
import { gatewayCommand, operatorCommand, type Config, type GatewayConfig } from '../../src/config';
import { TOKEN_FILE } from '../../src/reports/demand';
import { ofKind, render, type Manifest } from './helm';

const name = 'sparsedm-operator-gateway';

function named(manifests: readonly Manifest[], kind: string, wanted = name): Manifest {
  const found = ofKind(manifests, kind).find(({ metadata }) => metadata.name === wanted);
  if (!found) throw new Error(`no ${kind} ${wanted}`);
  return found;
}

type Pod = {
  spec: {
    containers: { args: string[]; env?: object[]; volumeMounts?: { mountPath: string }[] }[];
    volumes: object[];
    terminationGracePeriodSeconds: number;
  };
  metadata: { labels: Record<string, string> };
};
const podOf = (manifests: readonly Manifest[], wanted = name) =>
  (named(manifests, 'Deployment', wanted).spec as { template: Pod }).template;

describe('gateway.enabled', () => {
  it('is on unless it is turned off', async () => {
    named(await render(), 'Deployment');
    expect(ofKind(await render({ gateway: { enabled: false } }), 'Deployment')).toHaveLength(1);
  });

  it('runs gateways that the operator finds, and hears', async () => {
    const manifests = await render({ watchNamespaces: ['a', 'b'] });
    const pod = podOf(manifests);
    const [command, ...flags] = pod.spec.containers[0]!.args;
    expect(command).toBe('gateway');
    let gateway: GatewayConfig | undefined;
    await gatewayCommand({}, (read) => Promise.resolve(void (gateway = read)))
      .exitOverride()
      .parseAsync(flags, { from: 'user' });
    expect(gateway).toMatchObject({
      namespaces: ['a', 'b'],
      reportsUrl: 'http://sparsedm-operator.sparsedm-system.svc:8082',
    });
    const { drainDelayMs, graceMs } = gateway!.limits;
    expect(pod.spec.terminationGracePeriodSeconds * 1000).toBeGreaterThan(drainDelayMs + graceMs);
    expect(`${pod.spec.containers[0]!.volumeMounts![0]!.mountPath}/token`).toBe(TOKEN_FILE);

    let config: Config | undefined;
    const [, ...own] = podOf(manifests, 'sparsedm-operator').spec.containers[0]!.args;
    await operatorCommand({}, (read) => Promise.resolve(void (config = read)))
      .exitOverride()
      .parseAsync(own, { from: 'user' });
    expect(config?.gateway).toMatchObject({ namespace: 'sparsedm-system', name });
    const selected = config!.gateway!.selector.split(',').map((part) => part.split('='));
    expect(pod.metadata.labels).toMatchObject(Object.fromEntries(selected) as object);
    // The operator's Service leads to no gateway.
    const { selector } = named(manifests, 'Service', 'sparsedm-operator').spec as { selector: object };
    expect(pod.metadata.labels).not.toMatchObject(selector);
  });

  it('gives them the proxy, the certificates and the collector of the operator', async () => {
    const extraEnv = [{ name: 'NODE_EXTRA_CA_CERTS', value: '/etc/certificates/ca.crt' }];
    const extraVolumes = [{ name: 'certificates', configMap: { name: 'certificates' } }];
    const extraVolumeMounts = [{ name: 'certificates', mountPath: '/etc/certificates', readOnly: true }];
    const values = { extraEnv, extraVolumes, extraVolumeMounts };
    const { spec } = podOf(await render(values));
    expect(spec.containers[0]!.env).toEqual(extraEnv);
    expect(spec.containers[0]!.volumeMounts).toEqual(expect.arrayContaining(extraVolumeMounts));
    expect(spec.volumes).toEqual(expect.arrayContaining(extraVolumes));
  });

  it.each([
    ['the cluster', {}, 'ClusterRole', `sparsedm-system:${name}`],
    ['the watched namespaces', { watchNamespaces: ['a'] }, 'Role', name],
  ])('lets them read services and pods of %s, and nothing else', async (_, values, kind, role) => {
    const manifests = await render(values);
    expect(named(manifests, kind, role).rules).toEqual([
      { apiGroups: ['sparsedm.io'], resources: ['sparseinferenceservices'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
    ]);
    const { subjects } = named(manifests, `${kind}Binding`, role);
    expect(subjects).toEqual([{ kind: 'ServiceAccount', name, namespace: 'sparsedm-system' }]);
  });
});
