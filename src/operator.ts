import { sparseFinetunes, sparseInferenceServices, sparseStudies, type SparseFinetune } from './api/types';
import { createAutoscaler } from './autoscale/autoscaler';
import { createScalingMetrics, type ScalingMetrics } from './autoscale/metrics';
import type { Config } from './config';
import { createFinetuneReconciler, FINETUNE_INDEX, finetuneOfPod } from './finetune/reconcile';
import { JOB_INDEX, jobOfWorkload } from './finetune/queue';
import { createGpuCount } from './finetune/gpus';
import { createQueuePositions } from './finetune/queue-position';
import { finetuneReports } from './finetune/report';
import { childKinds } from './inference/child-kinds';
import { createChildren, type ChildKind } from './inference/children';
import { createDemandMailbox } from './inference/demand';
import { cachedGateway, createGateways, noGateways } from './inference/gateways';
import { createLoadMailbox } from './inference/load';
import { createNeedFigure } from './inference/need';
import { createQualityBoard } from './inference/quality';
import { createPorts, PORT_INDEX, portOfService } from './inference/ports';
import { createTraffic, needsPort } from './inference/traffic';
import {
  createServiceReconciler,
  finetuneOfService,
  REFERENCE_INDEX,
  SERVICE_INDEX,
  serviceOfPod,
} from './inference/reconcile';
import { serverReports } from './inference/canary-report';
import { cachedJob, cachedPod } from './kube/cached';
import { createKubeClient, type KubeClientOptions } from './kube/client';
import { cachedWorkload, workloads, type Workload } from './kube/kueue';
import { childSelector } from './kube/names';
import { controllerOf } from './kube/owner';
import { configMaps, deployments, jobs, nodes, pods, services, type Pod } from './kube/resources';
import { createMailbox, type Mailbox } from './reports/mailbox';
import { createReportMetrics, type ReportMetrics } from './reports/metrics';
import { createOwnerLookup } from './reports/owner';
import { createTokenReviewer } from './reports/review';
import { createReportServer } from './reports/server';
import { reportTask } from './reports/task';
import { createTally, type Tally } from './rollout/tally';
import type { Clock } from './runtime/clock';
import type { Controller, Watched } from './runtime/controller';
import { LeadershipLostError } from './runtime/errors';
import { createEventRecorder } from './runtime/events';
import type { Transport } from './runtime/http/transport';
import { createManager, type Manager, type ManagerOptions } from './runtime/manager';
import { keyOf, keyText, parseKey } from './runtime/objects';
import { createPace } from './runtime/queue/pace';
import type { Logger } from './runtime/telemetry/logger';
import type { Metrics } from './runtime/telemetry/metrics';
import type { Tracing } from './runtime/telemetry/tracing';
import {
  COPIED_INDEX,
  createStudyReconciler,
  finetuneOfStudy,
  STUDY_INDEX,
  studyOfFinetune,
} from './study/reconcile';

export type OperatorDependencies = {
  config: Config;
  transport: Transport;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  tracing?: Tracing;
  /** Counts what gateways report of each version. */
  tally?: Tally;
  /** Called with the port of the report endpoint, which is chosen by the system when the setting is 0. */
  onReportsListening?: (port: number) => void;
};

export type Operator = {
  /** Runs until the signal aborts. Rejects with LeadershipLostError when the lease is lost. */
  run(signal: AbortSignal): Promise<void>;
  readiness: Manager['readiness'];
  state: Manager['state'];
};

const children = { labelSelector: childSelector };

/** Some networks apply a policy before a Service's port is translated, and some after. */
function reportsPorts({ ports, reportsUrl }: Config): number[] {
  const before = Number(new URL(reportsUrl).port || 80);
  return [...new Set([before, ports.reports].filter((port) => port > 0))];
}

/** A cluster may lack the kinds of CustomResourceDefinitions. */
const watchOf = ({ whenMissing }: ChildKind) => ({ ...children, mayBeMissing: whenMissing !== undefined });

/** Creating, binding and starting a pod change Job and pod several times in a moment: one status covers them all. */
const settleMs = 100;

/** Everything between the API server and the reconcilers, wired together. Nothing happens before `run`. */
export function createOperator(dependencies: OperatorDependencies): Operator {
  const { config, transport, clock, logger, metrics } = dependencies;
  const { enabled, leaseName, leaseNamespace, identity, timing } = config.leaderElection;
  const leaderElection: ManagerOptions['leaderElection'] = {
    namespace: leaseNamespace,
    name: leaseName,
    identity,
    timing,
  };
  const manager = createManager({
    transport,
    clock,
    logger,
    metrics,
    tracing: dependencies.tracing,
    namespaces: config.namespaces,
    ...(enabled ? { leaderElection } : {}),
  });
  const pace = createPace(clock);
  const events = createEventRecorder({
    transport,
    pace,
    clock,
    logger,
    metrics,
    controller: 'sparsedm.io/operator',
    instance: identity,
  });
  const observe: NonNullable<KubeClientOptions['observe']> = (resource, object) =>
    manager.observe(resource, object);
  const stores = {
    finetunes: manager.watch(sparseFinetunes, { indexes: { [STUDY_INDEX]: studyOfFinetune } }),
    studies: manager.watch(sparseStudies, { indexes: { [COPIED_INDEX]: finetuneOfStudy } }),
    services: manager.watch(sparseInferenceServices, {
      indexes: {
        [REFERENCE_INDEX]: finetuneOfService,
        [PORT_INDEX]: portOfService,
      },
    }),
    jobs: manager.watch(jobs, { ...children, transform: cachedJob }),
    deployments: manager.watch(deployments, children),
    networks: manager.watch(services, children),
    pods: manager.watch(pods, {
      ...children,
      transform: cachedPod,
      indexes: { [FINETUNE_INDEX]: finetuneOfPod, [SERVICE_INDEX]: serviceOfPod },
    }),
  };
  // Kueue labels its Workloads by the uid of their Job alone, so all of them are watched.
  const queued = { transform: cachedWorkload, indexes: { [JOB_INDEX]: jobOfWorkload }, mayBeMissing: true };
  const workloadStore = manager.watch(workloads, queued);
  const gatewayPods = config.gateway && {
    resource: pods,
    labelSelector: config.gateway.selector,
    namespaces: [config.gateway.namespace],
    transform: cachedGateway,
  };
  const gatewayStore = gatewayPods && manager.watch(pods, gatewayPods);
  const guard = () => manager.assertLeader();
  const signal = manager.abandoned;
  const paced = pace.measured(transport);
  const client = createKubeClient({ transport: paced, observe, guard, signal });

  const scaling: { metrics?: ScalingMetrics } = {};
  const autoscaler = createAutoscaler({
    clock,
    onDecision: (decision, before) => scaling.metrics?.decided(decision, before),
  });
  scaling.metrics = createScalingMetrics(metrics.registry, () => autoscaler.decisions());

  const traffic = createTraffic({
    clock,
    gateways:
      config.gateway && gatewayStore
        ? createGateways({ account: config.gateway, pods: gatewayStore, clock })
        : noGateways,
    ports: createPorts(stores.services),
  });
  const tally = dependencies.tally ?? createTally({ clock });
  const quality = createQualityBoard();

  addReports(addControllers());

  /** Returns the controller of services. */
  function addControllers(): Pick<Controller, 'enqueueAfter'> {
    const shared = { client, clock, events, ...stores };
    const { images, reportsUrl, podDefaults, concurrency } = config;
    const finetuneController = 'sparsefinetune';
    // A pass that wrote the status has nothing to learn from the watch event about it.
    const finetuneClient = createKubeClient({
      transport: paced,
      guard,
      signal,
      observe: (resource, object, asDecided) =>
        manager.observe(resource, object, asDecided ? finetuneController : undefined),
    });
    manager.controller({
      name: finetuneController,
      for: sparseFinetunes,
      owns: [
        { resource: jobs, ownerKind: 'SparseFinetune', ...children, settleMs },
        { resource: services, ownerKind: 'SparseFinetune', ...children },
      ],
      watches: [
        { resource: pods, ...children, toKeys: (pod) => finetuneOfPod(pod as Pod).map(parseKey), settleMs },
        {
          resource: workloads,
          mayBeMissing: true,
          toKeys: (each) => finetunesOf(each as Workload),
          settleMs,
        },
      ],
      reconciler: createFinetuneReconciler({
        ...shared,
        client: finetuneClient,
        logger: logger.child({ controller: finetuneController }),
        pace,
        queues: {
          workloads: workloadStore,
          isMissing: () => manager.isMissing(workloads),
          positions: createQueuePositions((path) => paced.request({ method: 'GET', path }), clock),
        },
        // An operator of single namespaces has no right to nodes, which have none.
        countGpus: createGpuCount(
          async () => (config.namespaces.length > 0 ? [] : client.list(nodes)),
          clock,
        ),
        settings: { image: images.trainer, reportsUrl, podDefaults },
      }),
      concurrency,
    });
    manager.controller({
      name: 'sparsestudy',
      for: sparseStudies,
      owns: [{ resource: sparseFinetunes, ownerKind: 'SparseStudy', settleMs }],
      watches: [{ resource: sparseFinetunes, toKeys: (finetune) => studiesOf(finetune as SparseFinetune) }],
      reconciler: createStudyReconciler(shared),
      concurrency,
    });
    const kinds = childKinds({
      ...config,
      operatorNamespace: config.leaderElection.leaseNamespace,
      reportsPorts: reportsPorts(config),
    });
    return manager.controller({
      name: 'sparseinferenceservice',
      for: sparseInferenceServices,
      owns: [
        { resource: deployments, ownerKind: 'SparseInferenceService', ...children, settleMs },
        { resource: services, ownerKind: 'SparseInferenceService', ...children },
        ...kinds.map((kind) => ({
          resource: kind.resource,
          ownerKind: 'SparseInferenceService',
          ...watchOf(kind),
          settleMs,
        })),
      ],
      watches: [
        { resource: pods, ...children, toKeys: (pod) => serviceOfPod(pod as Pod).map(parseKey), settleMs },
        ...(gatewayPods === undefined
          ? []
          : [{ ...gatewayPods, toKeys: () => servicesWithPort(), settleMs } as Watched]),
        { resource: sparseFinetunes, toKeys: (finetune) => servicesOf(finetune as SparseFinetune) },
      ],
      reconciler: createServiceReconciler({
        ...shared,
        autoscaler,
        tally,
        quality,
        traffic,
        children: createChildren({
          client,
          kinds,
          storeOf: (kind) => manager.watch(kind.resource, watchOf(kind)),
          isMissing: (resource) => manager.isMissing(resource),
        }),
        settings: { image: images.server, reportsUrl, podDefaults },
      }),
      concurrency,
    });
  }

  /** What KEDA asks for. */
  function needFigure() {
    return createNeedFigure({
      services: stores.services,
      tokens: manager.watch(configMaps, children),
      podsOf: (key) => stores.pods.byIndex(SERVICE_INDEX, keyText(key)),
      autoscaler,
      heldOf: (key) => autoscaler.demandOf(keyText(key)).held,
      isLeader: () => manager.isLeader(),
    });
  }

  /** Those whose requests may need a gateway. */
  function servicesWithPort() {
    return stores.services.list().filter(needsPort).map(keyOf);
  }

  /** Most Workloads of a cluster are for Jobs of others, which the cache of Jobs does not hold. */
  function finetunesOf(workload: Workload) {
    const { namespace = '' } = workload.metadata;
    const job = stores.jobs.get(namespace, controllerOf(workload)?.name ?? '');
    const owner = job && controllerOf(job);
    return owner?.kind === 'SparseFinetune' ? [{ namespace, name: owner.name }] : [];
  }

  function studiesOf(finetune: SparseFinetune) {
    return stores.studies.byIndex(COPIED_INDEX, keyText(keyOf(finetune))).map(keyOf);
  }

  function servicesOf(finetune: SparseFinetune) {
    return stores.services.byIndex(REFERENCE_INDEX, keyText(keyOf(finetune))).map(keyOf);
  }

  /** Reports need no leader, so they have a separate client without the leader's guard. */
  function addReports(serviceController: Pick<Controller, 'enqueueAfter'>): void {
    const reports = createKubeClient({ transport, observe });
    // The gauge reads the mailboxes, and they count in the same metrics.
    const counters: { metrics?: ReportMetrics } = {};
    const box = {
      client: reports,
      clock,
      onWrite: (kind: string, result: string) => counters.metrics?.wrote(kind, result),
    };
    const mailboxes: Mailbox[] = [
      createMailbox({ ...box, kind: finetuneReports, store: stores.finetunes }),
      createMailbox({ ...box, kind: serverReports(stores.pods), store: stores.services }),
      createLoadMailbox({
        store: stores.services,
        isLeader: () => manager.isLeader(),
        hear: (key, uid, pod, load) =>
          serviceController.enqueueAfter(key, autoscaler.hear(keyText(key), uid, pod, load)),
        hearQuality(key, uid, pod, report) {
          if (quality.hear(keyText(key), uid, pod, report)) serviceController.enqueueAfter(key, settleMs);
        },
      }),
    ];
    if (config.gateway !== undefined) {
      mailboxes.push(
        createDemandMailbox({
          store: stores.services,
          isLeader: () => manager.isLeader(),
          account: config.gateway,
          hear(key, uid, report) {
            const text = keyText(key);
            tally.hear(text, uid, report);
            serviceController.enqueueAfter(key, autoscaler.hearDemand(text, uid, report));
          },
        }),
      );
    }
    counters.metrics = createReportMetrics(metrics.registry, () =>
      mailboxes.reduce((sum, { waiting }) => sum + waiting, 0),
    );
    const server = createReportServer({
      reviewer: createTokenReviewer({
        client: reports,
        clock,
        isKnown: ({ namespace, podName, podUid }) =>
          [stores.pods, gatewayStore].some(
            (store) => store?.get(namespace, podName)?.metadata.uid === podUid,
          ),
      }),
      owners: createOwnerLookup({
        client: reports,
        caches: [
          [pods, stores.pods],
          [jobs, stores.jobs],
          [deployments, stores.deployments],
        ],
      }),
      mailboxes,
      figures: config.keda ? [needFigure()] : [],
      clock,
      logger,
      onAnswer: (kind, status) => counters.metrics?.answered(kind, status),
    });
    const { onReportsListening: onListening } = dependencies;
    manager.task(
      reportTask({
        server,
        port: config.ports.reports,
        mailboxes,
        logger,
        ...(onListening ? { onListening } : {}),
      }),
    );
  }

  return {
    async run(signal) {
      let lost = false;
      try {
        await manager.start(signal);
      } catch (error) {
        lost = error instanceof LeadershipLostError;
        throw error;
      } finally {
        // A process that has lost the lease has to end before another acts; its last events are not worth waiting for.
        if (!lost) await events.flush(AbortSignal.timeout(5_000));
      }
    },
    readiness: () => manager.readiness(),
    state: () => manager.state(),
  };
}
