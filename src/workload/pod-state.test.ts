import { describe, expect, it } from 'vitest';
import type { Pod } from '../kube/resources';
import { lateAt, lateRemedy, logCommand, startTrouble, whereabouts } from './pod-state';

type ContainerStatus = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];

const deletedAt = '2026-01-01T00:01:00Z';

function aPod(changes: { deletionTimestamp?: string; nodeName?: string; phase?: string }): Pod {
  const { deletionTimestamp, nodeName, phase = 'Running' } = changes;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', namespace: 'ml', ...(deletionTimestamp && { deletionTimestamp }) },
    ...(nodeName && { spec: { nodeName, containers: [] } }),
    status: { phase },
  };
}

describe('a terminating pod', () => {
  const ending = aPod({ deletionTimestamp: deletedAt, nodeName: 'gpu-1' });
  const after = (seconds: number) => new Date(Date.parse(deletedAt) + seconds * 1000);

  it('is found by its name and node', () => {
    expect(whereabouts(ending)).toBe('pod a on node gpu-1');
    expect(whereabouts(aPod({}))).toBe('pod a');
  });

  it('has half a minute after its grace period', () => {
    expect(lateRemedy(ending, after(29.9))).toBeUndefined();
    expect(lateRemedy(ending, after(30))).toContain(
      'kubectl taint nodes gpu-1 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute',
    );
  });

  it('without a node is kept by a finalizer', () => {
    expect(lateRemedy(aPod({ deletionTimestamp: deletedAt }), after(30))).toContain('finalizers');
  });

  it.each([
    ['was not told to', aPod({ nodeName: 'gpu-1' })],
    ['has ended', aPod({ deletionTimestamp: deletedAt, nodeName: 'gpu-1', phase: 'Failed' })],
  ])('is never late when it %s', (_, pod) => {
    expect(lateAt(pod)).toBeUndefined();
    expect(lateRemedy(pod, after(3600))).toBeUndefined();
  });
});

describe('a pod that no node takes', () => {
  it.each([
    [
      '0/1 nodes are available: 1 node(s) were unschedulable.',
      ' A cordoned node takes no pod until "kubectl uncordon NODE".',
    ],
    ['0/1 nodes are available: 1 Insufficient cpu.', ''],
  ])('is told in the scheduler’s words: %s', (message, remedy) => {
    const pod = aPod({ phase: 'Pending' });
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }];
    const trouble = startTrouble({ ...pod, status: { phase: 'Pending', conditions } }, 'trainer');
    expect(trouble).toEqual({ reason: 'Unschedulable', message: message + remedy });
  });
});

describe('the command for a container’s log', () => {
  const of = (status: Pick<ContainerStatus, 'state' | 'lastState'>) => {
    const trainer = { name: 'trainer', image: 'x', imageID: 'x', ready: false, restartCount: 0, ...status };
    return logCommand({ ...aPod({}), status: { containerStatuses: [trainer] } }, 'trainer');
  };
  const ended = { terminated: { exitCode: 1 } };

  it.each([
    ['it runs', { state: { running: {} } }, ''],
    ['it has ended', { state: ended }, ''],
    ['it waits for its restart', { state: { waiting: {} }, lastState: ended }, ' --previous'],
    ['it was restarted', { state: { running: {} }, lastState: ended }, ' --previous'],
  ])('names pod, namespace and container where %s', (_, status, want) => {
    expect(of(status)).toBe(`kubectl logs a --namespace ml --container trainer${want}`);
  });
});
