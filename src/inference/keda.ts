/**
 * Scaling by KEDA: a ScaledObject on the scale subresource, whose trigger asks the operator for the load, and the token
 * with which KEDA asks. The token is for this one number of this one service, which whoever reads the namespace finds
 * in the status too; so it lies in a ConfigMap, and the operator needs no right to any Secret.
 */
import { randomBytes } from 'node:crypto';
import type { SparseInferenceService } from '../api/types';
import {
  scaledObjects,
  triggerAuthentications,
  type ScaledObject,
  type TriggerAuthentication,
} from '../kube/keda';
import { scalerName } from '../kube/names';
import { configMaps, type ConfigMap } from '../kube/resources';
import { reportUrl } from '../reports/address';
import { childMetadata } from './child-metadata';
import type { ChildKind } from './children';
import { needAddress, TOKEN_KEY } from './need';
import { DEFAULTS, engineOf, sleepsUnderKeda, targetOf } from './scaling';

/** Of base64url: 192 bits. */
const TOKEN = /^[\w-]{32}$/;

/**
 * Seconds between two looks of KEDA at a service that may sleep. The first pod does not wait for the next one, since the
 * operator starts it; the others do.
 */
const WAKE_POLL_SECONDS = 5;

const WHEN_MISSING = 'install KEDA (https://keda.sh), or write scaling.engine: builtin, which needs nothing';

export function newToken(): string {
  return randomBytes(24).toString('base64url');
}

export function kedaKinds(
  reportsUrl: string,
): [ChildKind<ConfigMap>, ChildKind<TriggerAuthentication>, ChildKind<ScaledObject>] {
  const field = 'spec.scaling.engine';
  return [
    {
      resource: configMaps,
      field,
      nameOf: scalerName,
      build: ({ service }, live) => buildToken(service, live?.data?.[TOKEN_KEY]),
    },
    {
      resource: triggerAuthentications,
      field,
      nameOf: scalerName,
      whenMissing: WHEN_MISSING,
      build: ({ service }) => buildAuthentication(service),
    },
    {
      resource: scaledObjects,
      field,
      nameOf: scalerName,
      whenMissing: WHEN_MISSING,
      build: ({ service }) => buildScaledObject(service, reportsUrl),
    },
  ];
}

function isAsked(service: SparseInferenceService): boolean {
  return engineOf(service) === 'keda';
}

/** Keeps the token that is there. */
export function buildToken(service: SparseInferenceService, present?: string): ConfigMap | undefined {
  if (!isAsked(service)) return undefined;
  const token = present !== undefined && TOKEN.test(present) ? present : newToken();
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: childMetadata(service, scalerName(service.metadata.name)),
    data: { [TOKEN_KEY]: token },
  };
}

export function buildAuthentication(service: SparseInferenceService): TriggerAuthentication | undefined {
  if (!isAsked(service)) return undefined;
  const metadata = childMetadata(service, scalerName(service.metadata.name));
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'TriggerAuthentication',
    metadata,
    spec: { configMapTargetRef: [{ parameter: 'token', name: metadata.name, key: TOKEN_KEY }] },
  };
}

export function buildScaledObject(
  service: SparseInferenceService,
  reportsUrl: string,
): ScaledObject | undefined {
  const { scaling } = service.spec;
  if (!isAsked(service) || scaling?.maxReplicas === undefined) return undefined;
  const { maxReplicas } = scaling;
  const { minReplicas, scaleDownStabilizationSeconds, idleSeconds } = { ...DEFAULTS, ...scaling };
  const metadata = childMetadata(service, scalerName(service.metadata.name));
  return {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata,
    spec: {
      scaleTargetRef: { apiVersion: service.apiVersion, kind: service.kind, name: service.metadata.name },
      minReplicaCount: minReplicas,
      maxReplicaCount: maxReplicas,
      ...(sleepsUnderKeda(service) ? untilSleep(idleSeconds) : {}),
      advanced: {
        horizontalPodAutoscalerConfig: {
          behavior: { scaleDown: { stabilizationWindowSeconds: scaleDownStabilizationSeconds } },
        },
      },
      triggers: [
        {
          type: 'metrics-api',
          metricType: 'AverageValue',
          metadata: {
            url: reportUrl(reportsUrl, needAddress, service.metadata),
            format: 'json',
            valueLocation: 'value',
            targetValue: String(targetOf(scaling.target).value),
            authMode: 'bearer',
            ...throughEveryReplica(reportsUrl),
          },
          authenticationRef: { name: metadata.name },
        },
      ],
    },
  };
}

/** KEDA counts from its last look that found load, or for a new ScaledObject from its creation. */
function untilSleep(idleSeconds: number): Partial<ScaledObject['spec']> {
  return {
    pollingInterval: WAKE_POLL_SECONDS,
    cooldownPeriod: idleSeconds,
    initialCooldownPeriod: idleSeconds,
  };
}

/**
 * Only the operator's leader hears loads. KEDA asks every pod behind the operator's Service and drops the answers of
 * those that do not lead; by the Service alone, its connection could stay with one of these.
 */
function throughEveryReplica(reportsUrl: string): Record<string, string> {
  const isService = /^[^.]+\.[^.]+\.svc(\.|$)/.test(new URL(reportsUrl).hostname);
  return isService ? { aggregateFromKubeServiceEndpoints: 'true', aggregationType: 'max' } : {};
}
