const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
const protocols = ['http/protobuf', 'http/json'] as const;

/** Settings of traces from OpenTelemetry's environment variables that its packages don't read themselves. */
export type TraceSettings = {
  protocol: (typeof protocols)[number];
  sampler: (typeof samplers)[number];
  /** For ratio samplers: the share of traces that is recorded, 0 to 1. */
  ratio: number;
  batch: {
    scheduledDelayMillis?: number;
    exportTimeoutMillis?: number;
    maxQueueSize?: number;
    maxExportBatchSize?: number;
  };
};

type Environment = Readonly<Record<string, string | undefined>>;

function endpointIsSet(env: Environment): boolean {
  return Boolean(env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT);
}

function isOff(env: Environment): boolean {
  return env.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || env.OTEL_TRACES_EXPORTER === 'none';
}

/** The value when it is known; otherwise the first known one, with a complaint. */
function choose<T extends string>(
  name: string,
  text: string | undefined,
  known: readonly T[],
  fallback: T,
  complain: (sentence: string) => void,
): T {
  if (text === undefined || text === '') return fallback;
  const found = known.find((each) => each === text.trim().toLowerCase());
  if (found === undefined)
    complain(`${name} is "${text}", not one of ${known.join(', ')}: using ${fallback}.`);
  return found ?? fallback;
}

function ratioOf(env: Environment, complain: (sentence: string) => void): number {
  const text = env.OTEL_TRACES_SAMPLER_ARG;
  if (text === undefined || text === '') return 1;
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return ratio;
  complain(`OTEL_TRACES_SAMPLER_ARG is "${text}", not a number from 0 to 1: using 1.`);
  return 1;
}

function positive(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d*$/.test(text) ? Number(text) : undefined;
}

/**
 * Undefined where no traces are wanted: without an endpoint, and where OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER says
 * so. A setting that can't be honoured is reported and replaced by the default, as the specification asks: traces must
 * not keep the operator from its work.
 */
export function readTraceSettings(
  env: Environment,
  complain: (sentence: string) => void,
): TraceSettings | undefined {
  if (!endpointIsSet(env) || isOff(env)) return undefined;
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL || env.OTEL_EXPORTER_OTLP_PROTOCOL;
  const batch = {
    scheduledDelayMillis: positive(env.OTEL_BSP_SCHEDULE_DELAY),
    exportTimeoutMillis: positive(env.OTEL_BSP_EXPORT_TIMEOUT),
    maxQueueSize: positive(env.OTEL_BSP_MAX_QUEUE_SIZE),
    maxExportBatchSize: positive(env.OTEL_BSP_MAX_EXPORT_BATCH_SIZE),
  };
  const sampler = env.OTEL_TRACES_SAMPLER;
  return {
    protocol: choose('OTEL_EXPORTER_OTLP_PROTOCOL', protocol, protocols, 'http/protobuf', complain),
    sampler: choose('OTEL_TRACES_SAMPLER', sampler, samplers, 'parentbased_always_on', complain),
    ratio: ratioOf(env, complain),
    batch: Object.fromEntries(Object.entries(batch).filter(([, value]) => value !== undefined)),
  };
}
