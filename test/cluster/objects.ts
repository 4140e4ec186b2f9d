/** What the embedded cluster brings with it: DNS's and the provisioner's rights, the default storage class. */

type Rule = { apiGroups: string[]; resources: string[]; verbs: string[] };

const read = ['get', 'list', 'watch'];

function clusterRole(name: string, rules: Rule[]) {
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name }, rules };
}

function clusterRoleBinding(name: string) {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name }],
  };
}

const dnsRules: Rule[] = [
  { apiGroups: [''], resources: ['namespaces', 'pods', 'services'], verbs: ['list', 'watch'] },
  { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
];

const provisionerRules: Rule[] = [
  {
    apiGroups: [''],
    resources: ['persistentvolumes'],
    verbs: [...read, 'create', 'delete', 'patch', 'update'],
  },
  { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: [...read, 'update'] },
  { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: read },
  {
    apiGroups: ['', 'events.k8s.io'],
    resources: ['events'],
    verbs: ['create', 'patch', 'update', 'list', 'watch'],
  },
  { apiGroups: [''], resources: ['nodes'], verbs: read },
];

const storageClass = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'sparsedm.io/hostpath',
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'Immediate',
};

const rbac = '/apis/rbac.authorization.k8s.io/v1';

/** Objects, each with its API path. */
export function bootstrapObjects(): { path: string; object: unknown }[] {
  const users = [
    { name: 'system:coredns', rules: dnsRules },
    { name: 'system:provisioner', rules: provisionerRules },
  ];
  return [
    ...users.flatMap(({ name, rules }) => [
      { path: `${rbac}/clusterroles/${name}`, object: clusterRole(name, rules) },
      { path: `${rbac}/clusterrolebindings/${name}`, object: clusterRoleBinding(name) },
    ]),
    { path: '/apis/storage.k8s.io/v1/storageclasses/standard', object: storageClass },
  ];
}
