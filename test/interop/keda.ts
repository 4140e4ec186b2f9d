/** The real KEDA, by its own manifests without the admission webhooks. */
import type { Target } from '../../scripts/target';
import type { Report } from '../cluster/index';
import { KEDA } from './modules';
import { ensurePrograms, installPrograms, type Project } from './programs';

const project: Project = {
  name: 'keda',
  module: KEDA,
  programs: [
    { package: 'operator', image: 'sparsedm-interop/keda', file: 'keda' },
    { package: 'adapter', image: 'sparsedm-interop/keda-metrics-apiserver', file: 'keda-adapter' },
  ],
  minutes: 12,
};

export const ensureKeda = (report: Report) => ensurePrograms(project, report);

export async function installKeda(target: Target, folder: string): Promise<void> {
  await installPrograms(target, project, folder, {
    base: 'minimal',
    images: {
      'ghcr.io/kedacore/keda': 'sparsedm-interop/keda',
      'ghcr.io/kedacore/keda-metrics-apiserver': 'sparsedm-interop/keda-metrics-apiserver',
    },
  });
  for (const name of ['keda-operator', 'keda-metrics-apiserver']) {
    await target.kubectl(['-n', 'keda', 'rollout', 'status', `deployment/${name}`, '--timeout=240s']);
  }
  const service = 'apiservice/v1beta1.external.metrics.k8s.io';
  await target.kubectl(['wait', service, '--for=condition=Available', '--timeout=120s']);
}
