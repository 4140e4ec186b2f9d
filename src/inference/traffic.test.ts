import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock';
import { aServerPod, aService } from '../../test/support/inference';
import type { SparseInferenceService, SparseInferenceServiceSpec } from '../api/types';
import type { Evaluation } from '../autoscale/autoscaler';
import type { Outcome } from '../autoscale/explain';
import type { Pod } from '../kube/resources';
import { ObjectStore } from '../runtime/cache/store';
import { cachedGateway, createGateways, noGateways, type Gateways } from './gateways';
import { createPorts, PORT_INDEX, portOfService } from './ports';
import { scalingOf, type Scaling } from './scaling';
import { buildService } from './service';
import {
  awaitsGateway,
  createTraffic,
  DIRECT,
  maySleep,
  MOST_WAIT_MS,
  planTraffic,
  PROPAGATION_MS,
  type TrafficPlan,
} from './traffic';

const sleepy: Partial<SparseInferenceServiceSpec> = {
  replicas: 1,
  scaling: { minReplicas: 0, maxReplicas: 3 },
};
const always: Partial<SparseInferenceServiceSpec> = { replicas: 1, gateway: 'Always' };

const ready: Pod = aServerPod({ ready: true });
ready.status!.conditions = [{ type: 'Ready', status: 'True' }];

function scaling(service: SparseInferenceService, outcome: Outcome, replicas: number): Scaling {
  const evaluation = { replicas, decision: { outcome, replicas } } as unknown as Evaluation;
  return { config: scalingOf(service)!, replicas, evaluation };
}

/** A cluster with one service, where what is planned is there in the next pass. */
function start(
  spec: Partial<SparseInferenceServiceSpec>,
  { gateways = twoGateways, refusesSlices = false }: Given = {},
) {
  const clock = new FakeClock();
  const store = new ObjectStore<SparseInferenceService>({ [PORT_INDEX]: { index: portOfService }.index });
  const create = () => createTraffic({ clock, gateways, ports: createPorts(store) });
  let traffic = create();
  let service = aService(spec);
  let plan: TrafficPlan = DIRECT;
  function pass(pods: readonly Pod[], given?: [Outcome, number], isDivided = false, hasGap = false) {
    const slices =
      plan.slice && !refusesSlices ? [{ port: plan.slice.port, endpoints: plan.slice.addresses.length }] : [];
    const network = buildService(service, plan.isGatewayOnly);
    const seen = traffic.observe({ service, network, pods, slices, mayHaveGap: hasGap });
    const scaled = given && scaling(service, ...given);
    traffic.note(service, scaled);
    const awaits = hasGap && awaitsGateway(seen);
    traffic.noteGap(service, { hasGap, awaits });
    plan = planTraffic(service, seen, scaled, { isDivided, hasGap, awaits });
    service = { ...service, status: { ...service.status, traffic: plan.status! } };
    return {
      sliced: plan.slice !== undefined,
      only: plan.isGatewayOnly,
      mode: plan.status?.mode,
      maySleep: maySleep(seen),
      awaits: awaitsGateway(seen),
      wakeSeconds: plan.status?.wakeSeconds,
      againMs: plan.againMs,
    };
  }
  return {
    clock,
    pass,
    settle: () => clock.advance(PROPAGATION_MS),
    /** Another operator takes over, which knows what is in the cluster. */
    restart: (reason?: string) => {
      traffic = create();
      if (reason === undefined) return;
      const ready = { type: 'Ready', status: 'True', reason, message: '', lastTransitionTime: '' } as const;
      service = { ...service, status: { ...service.status, conditions: [ready] } };
    },
  };
}

type Given = { gateways?: Gateways; refusesSlices?: boolean };
const twoGateways: Gateways = {
  isTold: true,
  addresses: () => ['10.0.0.1', '10.0.0.2'],
  trouble: () => undefined,
};

describe('the way of the requests', () => {
  it('is direct for a service that never sleeps', () => {
    const { pass, settle } = start({ replicas: 1 });
    pass([ready]);
    settle();
    expect(pass([ready])).toMatchObject({ sliced: false, only: false, mode: undefined, againMs: undefined });
  });

  it('is direct while a service that can sleep is awake, with a port for later', () => {
    const { pass, settle } = start(sleepy);
    expect(pass([ready], ['steady', 1])).toMatchObject({ sliced: false, mode: 'Direct', maySleep: false });
    pass([ready], ['steady', 1]);
    settle();
    expect(pass([ready], ['steady', 1])).toMatchObject({ sliced: false, only: false, mode: 'Direct' });
  });

  it('leads to the gateway for some seconds before a service sleeps', () => {
    const { pass, clock, settle } = start(sleepy);
    pass([ready], ['steady', 1]);
    pass([ready], ['steady', 1]);
    settle();
    pass([ready], ['steady', 1]);
    expect(pass([ready], ['fallingAsleep', 1])).toMatchObject({
      sliced: true,
      mode: 'Direct',
      maySleep: false,
    });
    expect(pass([ready], ['fallingAsleep', 1])).toMatchObject({ maySleep: false, againMs: PROPAGATION_MS });
    clock.advance(PROPAGATION_MS - 1);
    expect(pass([ready], ['fallingAsleep', 1])).toMatchObject({ maySleep: false, againMs: 1 });
    clock.advance(1);
    expect(pass([ready], ['fallingAsleep', 1])).toMatchObject({ maySleep: true });
    // It goes away where a request came instead.
    expect(pass([ready], ['steady', 1])).toMatchObject({ sliced: false });
  });

  it('stays at the gateway from sleep until a pod has been ready for some seconds, and the wake is timed', () => {
    const { pass, clock, settle } = start(sleepy);
    pass([], ['asleep', 0]);
    pass([], ['asleep', 0]);
    settle();
    expect(pass([], ['asleep', 0])).toMatchObject({ sliced: true, mode: 'Gateway' });
    pass([], ['waking', 1]);
    clock.advance(3_000);
    expect(pass([], ['noReports', 1])).toMatchObject({ sliced: true, mode: 'Gateway' });
    clock.advance(1_500);
    expect(pass([ready], ['noReports', 1])).toMatchObject({
      sliced: true,
      mode: 'Direct',
      wakeSeconds: '4.5',
    });
    settle();
    expect(pass([ready], ['steady', 1])).toMatchObject({ sliced: false, mode: 'Direct', wakeSeconds: '4.5' });
  });

  it('is kept over a restart of the operator, which waits anew before it takes anything away', () => {
    const { pass, clock, settle, restart } = start(sleepy);
    pass([ready], ['steady', 1]);
    pass([ready], ['steady', 1]);
    settle();
    pass([ready], ['fallingAsleep', 1]);
    pass([ready], ['fallingAsleep', 1]);
    clock.advance(PROPAGATION_MS - 1);
    restart();
    expect(pass([ready], ['fallingAsleep', 1])).toMatchObject({ sliced: true, maySleep: false });
    clock.advance(1);
    expect(pass([ready], ['fallingAsleep', 1])).toMatchObject({ sliced: true, maySleep: false });
    settle();
    expect(pass([ready], ['fallingAsleep', 1])).toMatchObject({ sliced: true, maySleep: true });
    expect(pass([], ['asleep', 0])).toMatchObject({ sliced: true, mode: 'Gateway' });
    restart();
    expect(pass([], ['asleep', 0])).toMatchObject({ sliced: true, mode: 'Gateway', maySleep: false });
  });

  it('has a wake timed that the operator before began', () => {
    const { pass, clock, restart } = start(sleepy);
    pass([], ['asleep', 0]);
    pass([], ['waking', 1]);
    clock.advance(2_000);
    const created = { ...ready.metadata, creationTimestamp: clock.now().toISOString() };
    const loading: Pod = { ...ready, metadata: created, status: { phase: 'Running' } };
    clock.advance(3_000);
    restart('Waking');
    expect(pass([loading], ['noReports', 1]).wakeSeconds).toBeUndefined();
    clock.advance(1_500);
    expect(pass([{ ...ready, metadata: created }], ['noReports', 1]).wakeSeconds).toBe('4.5');
  });

  it.each<[string, Partial<SparseInferenceServiceSpec>, boolean]>([
    ['gateway: Always', always, false],
    ['a canary', { replicas: 1, rollout: { strategy: 'Canary' } }, true],
  ])('passes through the gateway with %s: the slice first, then the selector', (_, spec, isDivided) => {
    const { pass, settle } = start(spec);
    const look = (divided = isDivided) => pass([ready], undefined, divided);
    expect(look()).toMatchObject({ sliced: false, only: false });
    look();
    settle();
    expect(look()).toMatchObject({ sliced: true, only: false, mode: 'Direct' });
    look();
    settle();
    expect(look()).toMatchObject({ sliced: true, only: true, mode: 'Gateway' });
    expect(look()).toMatchObject({ sliced: true, only: true });
    if (!isDivided) return;
    // And back: the pods first, then the slice goes.
    expect(look(false)).toMatchObject({ sliced: true, only: false, mode: 'Direct' });
    expect(look(false)).toMatchObject({ sliced: true, only: false });
    settle();
    expect(look(false)).toMatchObject({ sliced: false, only: false });
  });

  it('passes through the gateway with gateway: Always while a service sleeps under KEDA', () => {
    const scaling = { engine: 'keda' as const, minReplicas: 0, maxReplicas: 3 };
    const { pass, settle } = start({ ...always, replicas: 0, scaling });
    for (let count = 0; count < 4; count++) {
      pass([], ['asleep', 0]);
      settle();
    }
    expect(pass([], ['asleep', 0])).toMatchObject({ sliced: true, only: true, mode: 'Gateway' });
  });

  it('leads to the gateway before a gap of a rollout, and until the next pod has been ready for some seconds', () => {
    const { pass, clock, settle } = start({ replicas: 1 });
    const look = (pods: readonly Pod[], hasGap = true) => pass(pods, undefined, false, hasGap);
    expect(look([ready], false)).toMatchObject({ sliced: false, awaits: false });
    expect(look([ready])).toMatchObject({ sliced: false, awaits: true });
    look([ready]);
    settle();
    expect(look([ready])).toMatchObject({ sliced: true, mode: 'Direct', awaits: true });
    look([ready]);
    settle();
    expect(look([ready])).toMatchObject({ sliced: true, awaits: false });
    expect(look([])).toMatchObject({ sliced: true, mode: 'Gateway' });
    clock.advance(60_000);
    expect(look([])).toMatchObject({ sliced: true, mode: 'Gateway' });
    expect(look([ready], false)).toMatchObject({ sliced: true, mode: 'Direct' });
    settle();
    expect(look([ready], false)).toMatchObject({ sliced: false, mode: 'Direct' });
  });

  it('keeps back a rollout for a minute at most, where its slice is refused', () => {
    const { pass, clock } = start({ replicas: 1 }, { refusesSlices: true });
    const look = (hasGap = true) => pass([ready], undefined, false, hasGap);
    expect(look()).toMatchObject({ awaits: true });
    clock.advance(MOST_WAIT_MS - 1_000);
    expect(look()).toMatchObject({ awaits: true, againMs: 1_000 });
    clock.advance(1_000);
    expect(look()).toMatchObject({ awaits: false });
    expect(look(), 'as long as the gap is there').toMatchObject({ awaits: false });
    look(false);
    expect(look(), 'in the next rollout').toMatchObject({ awaits: true });
  });

  it('does not keep back a rollout for gateways that are not there', () => {
    const { pass } = start({ replicas: 1 }, { gateways: noGateways });
    expect(pass([ready], undefined, false, true)).toMatchObject({ sliced: false, awaits: false });
    const gone = start(
      { replicas: 1 },
      { gateways: { ...twoGateways, addresses: () => [], trouble: () => 'x' } },
    );
    expect(gone.pass([ready], undefined, false, true)).toMatchObject({ sliced: false, awaits: false });
  });

  it('is direct without a gateway', () => {
    const { pass, settle } = start(always, { gateways: noGateways });
    pass([ready]);
    settle();
    expect(pass([ready])).toMatchObject({ sliced: false, only: false, mode: undefined });
  });

  it('is direct again as soon as all gateways are gone', () => {
    let addresses = ['10.0.0.1'];
    const gateways = { ...twoGateways, addresses: () => addresses };
    const { pass, settle } = start(always, { gateways });
    for (let count = 0; count < 6; count++) {
      pass([ready]);
      settle();
    }
    expect(pass([ready])).toMatchObject({ only: true });
    addresses = [];
    expect(pass([ready])).toMatchObject({ only: false, mode: 'Direct' });
  });
});

describe('the gateways', () => {
  const aGateway = (name: string, ip: string, isReady = true): Pod => ({
    ...aServerPod({}, name),
    metadata: { name, namespace: 'system', uid: name, resourceVersion: ip.split('.').at(-1)! },
    status: { podIPs: [{ ip }], conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }] },
  });

  it('are the ready ones, and after a minute without any nobody relies on them', () => {
    const clock = new FakeClock();
    const pods = new ObjectStore<Pod>();
    const account = { namespace: 'system', name: 'gateway', selector: 'a=b' };
    const gateways = createGateways({ account, pods, clock });
    expect(gateways.trouble()).toBeUndefined();
    clock.advance(60_000);
    expect(gateways.trouble()).toBe('no pod of the gateway is ready: kubectl get pods -n system -l a=b');
    const ending = aGateway('c', '10.0.0.3');
    ending.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    for (const pod of [aGateway('b', '10.0.0.2'), aGateway('a', '10.0.0.1'), ending]) {
      pods.applyEvent(cachedGateway(pod));
    }
    pods.applyEvent(cachedGateway(aGateway('d', '10.0.0.4', false)));
    expect(gateways.addresses()).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(gateways.trouble()).toBeUndefined();
  });
});
