/** Limits of the gateway. Each has one place, and docs/gateway.md says what it is for. */
export type GatewaySettings = {
  /** Longest time for which a request waits for a replica; the client's own deadline may be earlier. */
  holdMs: number;
  /** Requests of one service that may wait. */
  heldRequests: number;
  /** Bytes of bodies that waiting requests of all services may occupy. */
  heldBytes: number;
  /** Largest body that is read before it is sent on, so that it can be sent again. A larger one flows through. */
  bufferBytes: number;
  /** Largest body. */
  bodyBytes: number;
  /** Largest head: target and headers. */
  headBytes: number;
  /** Time for a head to arrive, and for a body that is read beforehand. */
  receiveMs: number;
  /** Time for a connection to a pod. */
  connectMs: number;
  /** Longest silence of a pod, before its answer and within it. */
  silenceMs: number;
  /** Time for which a client's idle connection stays open: longer than that of load balancers (AWS 350 s, Google 600 s). */
  idleMs: number;
  /** Connections of all clients. */
  connections: number;
  /** Connections to one pod. */
  podConnections: number;
  /** Time for which a gateway that ends still takes requests: until no Service rule leads to it. */
  drainDelayMs: number;
  /** Time for requests in progress after that. */
  graceMs: number;
};

export const GATEWAY_DEFAULTS: GatewaySettings = {
  holdMs: 300_000,
  heldRequests: 1_000,
  heldBytes: 64 * 1024 * 1024,
  bufferBytes: 512 * 1024,
  bodyBytes: 32 * 1024 * 1024,
  headBytes: 16 * 1024,
  receiveMs: 15_000,
  connectMs: 2_000,
  silenceMs: 600_000,
  idleMs: 620_000,
  connections: 20_000,
  podConnections: 1_024,
  drainDelayMs: 10_000,
  graceMs: 300_000,
};

/** Longest Retry-After: clients give up on more than 120 s. */
export const LONGEST_RETRY_SECONDS = 60;
