import type { SparseInferenceService } from '../api/types';
import { serverLabels } from '../kube/names';
import { ownerReference } from '../kube/owner';
import { defined } from '../runtime/defined';
import type { ObjectMeta } from '../runtime/objects';

/** Metadata of a child of the service: by the labels it is watched, and by its owner it goes with the service. */
export function childMetadata(service: SparseInferenceService, name: string): ObjectMeta {
  return {
    name,
    ...defined({ namespace: service.metadata.namespace }),
    labels: serverLabels(service.metadata.name),
    ownerReferences: [ownerReference(service)],
  };
}
