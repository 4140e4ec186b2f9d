import type { KubeObject } from './objects';

export type EventType = 'Normal' | 'Warning';

/** Records events.k8s.io/v1 Events in the background: never blocks, never throws. */
export type EventRecorder = {
  event(object: KubeObject, type: EventType, reason: string, message: string): void;
};
