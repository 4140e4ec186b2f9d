/** The real Kueue, by its own manifests, for Jobs alone. */
import type { Target } from '../../scripts/target';
import type { Report } from '../cluster/index';
import { KUEUE } from './modules';
import { ensurePrograms, installPrograms, type Project } from './programs';

const project: Project = {
  name: 'kueue',
  module: KUEUE,
  programs: [{ package: 'kueue', image: 'sparsedm-interop/kueue', file: 'manager' }],
  minutes: 8,
};

export const ensureKueue = (report: Report) => ensurePrograms(project, report);

/** Requests less than by default, so that it fits beside everything else on two cores. */
const more = `
  - patch: |
      apiVersion: v1
      kind: ConfigMap
      metadata: { name: kueue-manager-config, namespace: kueue-system }
      data:
        controller_manager_config.yaml: |
          apiVersion: config.kueue.x-k8s.io/v1beta2
          kind: Configuration
          health: { healthProbeBindAddress: ":8081" }
          metrics: { bindAddress: ":8443" }
          webhook: { port: 9443 }
          integrations: { frameworks: [batch/job] }
  - target: { kind: Deployment }
    patch: |
      - { op: replace, path: /spec/template/spec/containers/0/resources/requests/cpu, value: 50m }
`;

export async function installKueue(target: Target, folder: string): Promise<void> {
  await installPrograms(target, project, folder, {
    base: 'default',
    images: { 'us-central1-docker.pkg.dev/k8s-staging-images/kueue/kueue': 'sparsedm-interop/kueue' },
    more,
  });
  const manager = 'deployment/kueue-controller-manager';
  await target.kubectl(['-n', 'kueue-system', 'rollout', 'status', manager, '--timeout=240s']);
}
