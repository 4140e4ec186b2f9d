import { describe, expect, it } from 'vitest';
import { cases } from './cases';
import { only, render, type Manifest, type Rule } from './helm';

/** Every right of the operator in a watched namespace. A new verb needs a line here, and a reason in review. */
const wantNamespaceRights = [
  'apps/controllerrevisions: create delete list',
  'apps/deployments: create delete get list patch watch',
  'apps/replicasets: get',
  'autoscaling/horizontalpodautoscalers: create delete get list patch watch',
  'batch/jobs: create delete get list patch watch',
  'core/configmaps: create patch',
  'core/events: list',
  'core/pods: get list watch',
  'core/services: create get list patch watch',
  'discovery.k8s.io/endpointslices: create delete get list patch watch',
  'discovery.k8s.io/endpointslices/restricted: create',
  'events.k8s.io/events: create patch',
  'gateway.networking.k8s.io/httproutes: create delete get list patch watch',
  'kueue.x-k8s.io/workloads: get list patch watch',
  'networking.k8s.io/ingresses: create delete get list patch watch',
  'networking.k8s.io/networkpolicies: create delete get list patch watch',
  'policy/poddisruptionbudgets: create delete get list patch watch',
  'sparsedm.io/sparsefinetunes: create delete get list patch watch',
  'sparsedm.io/sparsefinetunes/finalizers: update',
  'sparsedm.io/sparsefinetunes/status: patch',
  'sparsedm.io/sparseinferenceservices: get list watch',
  'sparsedm.io/sparseinferenceservices/finalizers: update',
  'sparsedm.io/sparseinferenceservices/scale: patch',
  'sparsedm.io/sparseinferenceservices/status: patch',
  'sparsedm.io/sparsestudies: get list watch',
  'sparsedm.io/sparsestudies/finalizers: update',
  'sparsedm.io/sparsestudies/status: patch',
  'visibility.kueue.x-k8s.io/localqueues/pendingworkloads: get',
];

const wantLeaderRights = [
  'coordination.k8s.io/leases: create',
  'coordination.k8s.io/leases[sparsedm-operator]: get update watch',
];

/** In the release's namespace: which gateways there are. */
const wantGatewayRights = ['core/pods: get list watch'];

/** Of an operator of the whole cluster: whether a run on CPUs leaves GPUs unused. */
const wantNodeRights = ['core/nodes: list'];

const wantTokenReviewRights = ['authentication.k8s.io/tokenreviews: create'];

function sorted(...lists: string[][]): string[] {
  return lists.flat().sort();
}

function rights(rules: readonly Rule[] = []): string[] {
  return rules
    .flatMap(({ apiGroups, resources, verbs, resourceNames }) =>
      apiGroups.flatMap((group) =>
        resources.map((resource) => {
          const names = resourceNames ? `[${resourceNames.join(',')}]` : '';
          return `${group || 'core'}/${resource}${names}: ${[...verbs].sort().join(' ')}`;
        }),
      ),
    )
    .sort();
}

/** Rights of the operator's ServiceAccount: by namespace of the binding ('' for the whole cluster), as text. */
function granted(manifests: readonly Manifest[]): Record<string, string[]> {
  const account = only(manifests, 'ServiceAccount').metadata;
  const result: Record<string, string[]> = {};
  // Those of the gateways' account: gateway.test.ts.
  const bindings = manifests.filter(
    ({ kind, metadata }) => kind.endsWith('RoleBinding') && !metadata.name.endsWith('-gateway'),
  );
  for (const binding of bindings) {
    expect(binding.subjects).toEqual([
      { kind: 'ServiceAccount', name: account.name, namespace: account.namespace },
    ]);
    const role = manifests.find(
      ({ kind, metadata }) =>
        kind === binding.roleRef?.kind &&
        metadata.name === binding.roleRef.name &&
        metadata.namespace === binding.metadata.namespace,
    );
    if (!role) throw new Error(`${binding.metadata.name} refers to no rendered role`);
    const namespace = binding.metadata.namespace ?? '';
    result[namespace] = [...(result[namespace] ?? []), ...rights(role.rules)].sort();
  }
  return result;
}

describe('rights of the operator', () => {
  it('in the whole cluster', async () => {
    expect(granted(await render())).toEqual({
      '': sorted(wantNamespaceRights, wantNodeRights, wantTokenReviewRights),
      'sparsedm-system': sorted(wantLeaderRights, wantGatewayRights),
    });
  });

  it('in two namespaces: nothing cluster-wide but the question who sent a report', async () => {
    expect(granted(await render({ watchNamespaces: ['a', 'b'] }))).toEqual({
      '': wantTokenReviewRights,
      a: sorted(wantNamespaceRights),
      b: sorted(wantNamespaceRights),
      'sparsedm-system': sorted(wantLeaderRights, wantGatewayRights),
    });
  });

  it('in its own namespace alone', async () => {
    const values = { watchNamespaces: ['sparsedm-system'], rbac: { tokenReviews: false } };
    expect(granted(await render(values))).toEqual({
      'sparsedm-system': sorted(wantNamespaceRights, wantLeaderRights, wantGatewayRights),
    });
  });

  it('with KEDA: also its kinds, and the ConfigMaps with the tokens for it', async () => {
    const kedaRights = ['core/configmaps', 'keda.sh/scaledobjects', 'keda.sh/triggerauthentications'].map(
      (what) => `${what}: create delete get list patch watch`,
    );
    expect(granted(await render({ keda: { enabled: true } }))).toEqual({
      '': sorted(wantNamespaceRights, wantNodeRights, wantTokenReviewRights, kedaRights),
      'sparsedm-system': sorted(wantLeaderRights, wantGatewayRights),
    });
  });

  it('without a lease', async () => {
    const values = { leaderElection: { enabled: false } };
    expect(granted(await render(values))).toEqual({
      '': sorted(wantNamespaceRights, wantNodeRights, wantTokenReviewRights),
      'sparsedm-system': wantGatewayRights,
    });
  });

  it.each(cases)(
    'hold no wildcard, no Secret and no escalation, installed with $name',
    async ({ values, options }) => {
      for (const { rules = [], metadata } of await render(values, options)) {
        for (const rule of rules) {
          const words = [...rule.apiGroups, ...rule.resources, ...rule.verbs];
          expect(words, metadata.name).not.toContain('*');
          expect(
            words.filter((word) =>
              ['secrets', 'pods/exec', 'escalate', 'bind', 'impersonate'].includes(word),
            ),
          ).toEqual([]);
          // Results of studies are written; what others keep in ConfigMaps is not read.
          if (words.includes('configmaps')) expect(rule.verbs, metadata.name).toEqual(['create', 'patch']);
        }
      }
    },
  );
});

describe('rights of users', () => {
  it('come with the roles view, edit and admin of the cluster', async () => {
    const roles = (await render()).filter(
      ({ kind, metadata }) =>
        kind === 'ClusterRole' &&
        Object.keys(metadata.labels ?? {}).some((label) => label.includes('aggregate-to-')),
    );
    const byAudience = (audience: string) =>
      roles
        .filter(
          ({ metadata }) =>
            metadata.labels?.[`rbac.authorization.k8s.io/aggregate-to-${audience}`] === 'true',
        )
        .flatMap(({ rules }) => rights(rules))
        .sort();
    const wantView = [
      'sparsedm.io/sparsefinetunes/status: get',
      'sparsedm.io/sparsefinetunes: get list watch',
      'sparsedm.io/sparseinferenceservices/scale: get',
      'sparsedm.io/sparseinferenceservices/status: get',
      'sparsedm.io/sparseinferenceservices: get list watch',
      'sparsedm.io/sparsestudies/status: get',
      'sparsedm.io/sparsestudies: get list watch',
    ];
    const wantEdit = [
      ...wantView,
      'sparsedm.io/sparsefinetunes: create delete deletecollection patch update',
      'sparsedm.io/sparseinferenceservices/scale: patch update',
      'sparsedm.io/sparseinferenceservices: create delete deletecollection patch update',
      'sparsedm.io/sparsestudies: create delete deletecollection patch update',
    ];
    expect(byAudience('view')).toEqual(sorted(wantView));
    expect(byAudience('edit')).toEqual(sorted(wantEdit));
    expect(byAudience('admin')).toEqual(sorted(wantEdit));
  });
});
