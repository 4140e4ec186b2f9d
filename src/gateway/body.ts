/** Bodies of requests: small ones are read first, so that they can be sent again; large ones flow through. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../runtime/clock';
import { GatewayError } from './answer';
import type { GatewaySettings } from './settings';

export type Body =
  | { kind: 'none' }
  | { kind: 'buffered'; bytes: Buffer }
  /** `begun`: some of it has been sent, so that it can't be sent again. */
  | { kind: 'flowing'; stream: IncomingMessage; begun: boolean };

type Limits = Pick<GatewaySettings, 'bufferBytes' | 'bodyBytes' | 'receiveMs'>;

/**
 * By the headers: a length within bufferBytes is read, a larger one or an unknown one flows. Rejects with a GatewayError
 * for a body that is too large or too slow.
 */
export async function takeBody(request: IncomingMessage, limits: Limits, clock: Clock): Promise<Body> {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (length === undefined && encoding === undefined) return { kind: 'none' };
  const bytes = length === undefined ? undefined : Number(length);
  if (bytes === 0) return { kind: 'none' };
  if (bytes !== undefined && bytes > limits.bodyBytes) throw tooLarge(limits);
  if (bytes === undefined || bytes > limits.bufferBytes)
    return { kind: 'flowing', stream: request, begun: false };
  return { kind: 'buffered', bytes: await read(request, bytes, limits, clock) };
}

function tooLarge({ bodyBytes }: Pick<Limits, 'bodyBytes'>): GatewayError {
  return new GatewayError(413, 'request_too_large', `The body has more than ${bodyBytes} bytes.`);
}

/** Rejects with a GatewayError when the body is late, and with the stream's error when the client has gone. */
async function read(
  request: IncomingMessage,
  length: number,
  { receiveMs }: Limits,
  clock: Clock,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const late = `The body was not complete within ${receiveMs / 1000} s.`;
  const cancel = clock.setTimeout(() => reject(new GatewayError(408, 'request_timeout', late)), receiveMs);
  const collect = (chunk: Buffer) => void chunks.push(chunk);
  request.on('data', collect).once('end', resolve).once('error', reject);
  try {
    await promise;
  } finally {
    cancel();
    request.off('data', collect).off('end', resolve).off('error', reject);
  }
  return Buffer.concat(chunks, length);
}

/** What is sent to a pod. Reads a flowing body only once the pod takes it. */
export function bodyForPod(
  body: Body,
  { bodyBytes }: Pick<GatewaySettings, 'bodyBytes'>,
): Buffer | AsyncIterable<Buffer> | null {
  if (body.kind === 'none') return null;
  if (body.kind === 'buffered') return body.bytes;
  return {
    async *[Symbol.asyncIterator]() {
      body.begun = true;
      let size = 0;
      for await (const chunk of body.stream as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > bodyBytes) throw tooLarge({ bodyBytes });
        yield chunk;
      }
    },
  };
}

/** Whether the request can be sent once more. */
export function canRepeat(body: Body): boolean {
  return body.kind !== 'flowing' || !body.begun;
}

export function sizeOf(body: Body): number {
  return body.kind === 'buffered' ? body.bytes.length : 0;
}
