import type { Clock } from './runtime/clock';
import type { Logger } from './runtime/telemetry/logger';
import { readTraceSettings } from './runtime/telemetry/trace-settings';
import { noTracing, type Tracing } from './runtime/telemetry/tracing';

export type TracingOptions = {
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  logger: Logger;
  /** Of the service in the traces. */
  name: string;
  version: string;
  /** Unique per process. */
  instance: string;
};

/** Traces as OpenTelemetry's environment variables request them; its packages are loaded only then. */
export async function startTracing({
  env,
  clock,
  logger,
  name,
  version,
  instance,
}: TracingOptions): Promise<Tracing> {
  const complain = (detail: string) => logger.warn('a setting of the traces is not honoured', { detail });
  const settings = readTraceSettings(env, complain);
  if (settings === undefined) return noTracing;
  const { createOpenTelemetry } = await import('./runtime/telemetry/opentelemetry');
  logger.info('traces are exported', { sampler: settings.sampler, protocol: settings.protocol });
  return createOpenTelemetry({
    settings,
    clock,
    logger,
    service: { name, version, instance },
  });
}
