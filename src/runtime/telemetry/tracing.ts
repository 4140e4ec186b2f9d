export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A piece of work that is being recorded. */
export type Span = {
  /** For other processes (W3C); undefined where nothing is recorded. */
  readonly traceparent: string | undefined;
  set(attributes: Attributes): void;
  /** Records the error and marks the span as failed. An error that the work throws is recorded without. */
  fail(error: unknown): void;
};

export type SpanStart = { name: string; attributes: Attributes };

/**
 * Records spans of the process's work if traces are configured; this module does not know how. `describe` is called
 * only when the span is recorded.
 */
export type Tracing = {
  /** Runs the work in a new span: a child of the current one, else the root of a trace. */
  span<T>(describe: () => SpanStart, work: (span: Span) => Promise<T>): Promise<T>;
  /** As `span`, for a request to another process; without a span around it the work runs unrecorded. */
  request<T>(describe: () => SpanStart, work: (span: Span) => Promise<T>): Promise<T>;
  /** Runs what another process has asked for in a new span: a child of that process's, if it has said which. */
  serve<T>(
    traceparent: string | undefined,
    describe: () => SpanStart,
    work: (span: Span) => Promise<T>,
  ): Promise<T>;
  /** Sends the recorded spans, for a few seconds at most, and ends. Never throws. */
  shutdown(): Promise<void>;
};

export const unrecorded: Span = {
  traceparent: undefined,
  set: () => undefined,
  fail: () => undefined,
};

export const noTracing: Tracing = {
  span: (_describe, work) => work(unrecorded),
  request: (_describe, work) => work(unrecorded),
  serve: (_traceparent, _describe, work) => work(unrecorded),
  shutdown: () => Promise.resolve(),
};
