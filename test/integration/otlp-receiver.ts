/** A trace collector for tests: a real HTTP server that takes OTLP as JSON and keeps it. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

type Value = { stringValue?: string; intValue?: number | string; doubleValue?: number; boolValue?: boolean };
type KeyValue = { key: string; value: Value };

export type ReceivedSpan = {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  kind: number;
  attributes: Record<string, string | number | boolean | undefined>;
  /** 2 is an error. */
  status: { code?: number; message?: string };
  events: { name: string; attributes: Record<string, string | number | boolean | undefined> }[];
  resource: Record<string, string | number | boolean | undefined>;
};

type WireSpan = Omit<ReceivedSpan, 'attributes' | 'events' | 'resource'> & {
  attributes: KeyValue[];
  events?: { name: string; attributes: KeyValue[] }[];
};
type Wire = {
  resourceSpans: { resource: { attributes: KeyValue[] }; scopeSpans: { spans: WireSpan[] }[] }[];
};

export type OtlpReceiver = {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  url: string;
  spans: ReceivedSpan[];
  /** Path and content type of each request. */
  requests: { path: string; contentType: string; body: Buffer }[];
  /** Status of its answers; 200 by default. */
  status: number;
  close(): Promise<void>;
};

function plain(attributes: readonly KeyValue[] = []): ReceivedSpan['attributes'] {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ??
        value.boolValue ??
        value.doubleValue ??
        (value.intValue === undefined ? undefined : Number(value.intValue)),
    ]),
  );
}

function spansOf({ resourceSpans }: Wire): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map((span) => ({
        ...span,
        attributes: plain(span.attributes),
        events: (span.events ?? []).map((event) => ({ ...event, attributes: plain(event.attributes) })),
        resource: plain(resource.attributes),
      })),
  );
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const server = createServer((request, response) => {
    void read(request).then((body) => {
      const contentType = request.headers['content-type'] ?? '';
      receiver.requests.push({ path: request.url ?? '', contentType, body });
      if (contentType === 'application/json') {
        receiver.spans.push(...spansOf(JSON.parse(body.toString()) as Wire));
      }
      response.writeHead(receiver.status, { 'content-type': contentType });
      response.end(contentType === 'application/json' ? '{}' : undefined);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: OtlpReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans: [],
    requests: [],
    status: 200,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}
