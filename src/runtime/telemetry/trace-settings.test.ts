import { describe, expect, test } from 'vitest';
import { readTraceSettings } from './trace-settings';

function read(env: Record<string, string>) {
  const complaints: string[] = [];
  return { settings: readTraceSettings(env, (sentence) => complaints.push(sentence)), complaints };
}

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

test.each([
  ['nothing is set', {}],
  ['the endpoint is empty', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
  ['the SDK is disabled', { ...endpoint, OTEL_SDK_DISABLED: 'true' }],
  ['traces are not exported', { ...endpoint, OTEL_TRACES_EXPORTER: 'none' }],
  ['only the sampler is set', { OTEL_TRACES_SAMPLER: 'always_on' }],
])('no traces where %s', (_, env) => {
  expect(read(env)).toEqual({ settings: undefined, complaints: [] });
});

test('an endpoint is enough, and the rest has the defaults of the specification', () => {
  const want = { protocol: 'http/protobuf', sampler: 'parentbased_always_on', ratio: 1, batch: {} };
  expect(read(endpoint)).toEqual({ settings: want, complaints: [] });
  expect(read({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://x/v1/traces' }).settings).toEqual(want);
});

test.each([
  ['the protocol', { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }, { protocol: 'http/json' }],
  [
    'the protocol of traces, before that of all',
    { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' },
    { protocol: 'http/json' },
  ],
  ['the sampler', { OTEL_TRACES_SAMPLER: 'always_off' }, { sampler: 'always_off' }],
  [
    'the share of traces',
    { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' },
    { sampler: 'traceidratio', ratio: 0.25 },
  ],
  [
    'the batches',
    { OTEL_BSP_SCHEDULE_DELAY: '100', OTEL_BSP_MAX_QUEUE_SIZE: '64', OTEL_BSP_EXPORT_TIMEOUT: 'x' },
    { batch: { scheduledDelayMillis: 100, maxQueueSize: 64 } },
  ],
])('%s can be chosen', (_, env, want) => {
  const { settings, complaints } = read({ ...endpoint, ...env });
  expect(settings).toMatchObject(want);
  expect(complaints).toEqual([]);
});

describe('what cannot be honoured is complained of and replaced by the default', () => {
  test.each([
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL is "grpc"'],
    [{ OTEL_TRACES_SAMPLER: 'sometimes' }, 'OTEL_TRACES_SAMPLER is "sometimes"'],
    [{ OTEL_TRACES_SAMPLER_ARG: '7' }, 'OTEL_TRACES_SAMPLER_ARG is "7"'],
    [{ OTEL_TRACES_SAMPLER_ARG: 'much' }, 'OTEL_TRACES_SAMPLER_ARG is "much"'],
  ])('%j', (env, want) => {
    const { settings, complaints } = read({ ...endpoint, ...env });
    expect(settings).toEqual(read(endpoint).settings);
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toContain(want);
  });
});
