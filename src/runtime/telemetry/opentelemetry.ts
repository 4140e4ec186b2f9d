/** Tracing by OpenTelemetry. The one module that imports it, and itself imported only where traces are configured. */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  diag,
  DiagLogLevel,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span as OtelSpan,
} from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type Sampler,
} from '@opentelemetry/sdk-trace';
import { sleep, type Clock } from '../clock';
import { messageOf } from '../errors';
import { redactText, type Logger } from './logger';
import type { TraceSettings } from './trace-settings';
import { unrecorded, type Span, type SpanStart, type Tracing } from './tracing';

export type OpenTelemetryOptions = {
  settings: TraceSettings;
  logger: Logger;
  clock: Clock;
  service: { name: string; version: string; instance: string };
};

/** Interval between log lines about a failing exporter, which without a collector fails every few seconds. */
const complaintMs = 60_000;
const shutdownMs = 3_000;

function samplerOf({ sampler, ratio }: TraceSettings): Sampler {
  switch (sampler) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratio);
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  }
}

/** By its form alone: hex digits, of a version that says as much as the first one. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/;

function remoteParent(traceparent = ''): Context {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  const traceFlags = parseInt(flags!, 16) & TraceFlags.SAMPLED;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

function traceparentOf(span: OtelSpan): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`;
}

function recordFailure(span: OtelSpan, error: unknown): void {
  const message = redactText(messageOf(error));
  const name = error instanceof Error ? error.name : 'Error';
  span.recordException({ name, message });
  span.setAttribute('error.type', name);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}

function complaints(logger: Logger, clock: Clock): (message: string) => void {
  let last = -Infinity;
  return (detail) => {
    if (clock.monotonic() - last < complaintMs) return;
    last = clock.monotonic();
    logger.warn('traces are not exported', { detail });
  };
}

export function createOpenTelemetry(options: OpenTelemetryOptions): Tracing {
  const { settings, clock, service } = options;
  const complain = complaints(options.logger.child({ component: 'tracing' }), clock);
  const ignore = () => undefined;
  diag.setLogger(
    { error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore },
    DiagLogLevel.WARN,
  );
  // The exporters read endpoint, headers, time-out, compression and certificates from the environment.
  const exporter = settings.protocol === 'http/json' ? new JsonExporter() : new ProtobufExporter();
  const provider = new TracerProvider({
    sampler: samplerOf(settings),
    resource: defaultResource()
      .merge(
        resourceFromAttributes({
          'service.name': service.name,
          'service.version': service.version,
          'service.instance.id': service.instance,
        }),
      )
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter, ...settings.batch })],
  });
  const tracer = provider.getTracer(service.name, service.version);
  const active = new AsyncLocalStorage<Context>();

  function record<T>(
    { name, attributes }: SpanStart,
    kind: SpanKind,
    work: (span: Span) => Promise<T>,
    parent = active.getStore() ?? ROOT_CONTEXT,
  ): Promise<T> {
    const span = tracer.startSpan(name, { kind, attributes: { ...attributes } }, parent);
    const handle: Span = {
      traceparent: traceparentOf(span),
      set: (more) => void span.setAttributes({ ...more }),
      fail: (error) => recordFailure(span, error),
    };
    return active.run(trace.setSpan(parent, span), async () => {
      try {
        return await work(handle);
      } catch (error) {
        recordFailure(span, error);
        throw error;
      } finally {
        span.end();
      }
    });
  }

  return {
    span: (describe, work) => record(describe(), SpanKind.INTERNAL, work),
    request: (describe, work) =>
      active.getStore() === undefined ? work(unrecorded) : record(describe(), SpanKind.CLIENT, work),
    serve: (traceparent, describe, work) =>
      record(describe(), SpanKind.SERVER, work, remoteParent(traceparent)),
    async shutdown() {
      await Promise.race([provider.shutdown().catch(ignore), sleep(clock, shutdownMs)]);
    },
  };
}
