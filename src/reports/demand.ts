/** What gateways tell the operator of a service: the requests that wait and run, and how each version does. */

/** Figures of one version, cumulative since the gateway began. */
export type RevisionFigures = {
  requests: number;
  /** Those that the version failed: 5xx answers and lost connections, not what the client did wrong. */
  failed: number;
  /** Time until the answer, of the requests that it answered. */
  latency: { count: number; sumSeconds: number };
};

/** Body of POST /v1/services/NAMESPACE/NAME/demand. */
export type DemandReport = {
  /** Tells one life of a gateway from the next, where its figures begin again from zero. */
  gateway: string;
  /** Requests that wait for a replica. */
  held: number;
  /** Requests in progress in this gateway, those that wait included. */
  requests: number;
  /** By the version's name; '' for pods from before versions had names. */
  revisions: Record<string, RevisionFigures>;
};

/** Path of the token with which a gateway's pod reports: its ServiceAccount's, for the audience sparsedm.io. */
export const TOKEN_FILE = '/var/run/secrets/sparsedm.io/token';

export const demandAddress = { objects: 'services', topic: 'demand' };
