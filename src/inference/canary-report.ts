/** What counts of a server's report, by the version that its pod is of. */
import type { SparseInferenceService } from '../api/types';
import type { Pod } from '../kube/resources';
import type { ReportKind } from '../reports/kind';
import type { Store } from '../runtime/cache/store';
import { isCanaryPod } from './canary';
import { serviceReports, type ServiceReport } from './report';

/** The reports of servers, of which what a canary's pod measured does not stand for the version that serves. */
export function serverReports(
  pods: Pick<Store<Pod>, 'get'>,
): ReportKind<SparseInferenceService, ServiceReport> {
  return {
    ...serviceReports,
    partFrom(report, { namespace, podName, podUid }) {
      const pod = pods.get(namespace, podName);
      if (pod?.metadata.uid !== podUid || !isCanaryPod(pod)) return report;
      const { engine: _, ...rest } = report;
      return rest;
    },
  };
}
