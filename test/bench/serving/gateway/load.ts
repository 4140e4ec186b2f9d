/** Open-loop load: each request is sent when it is due, whether or not those before it have been answered. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Pool } from 'undici';

export type Answer = {
  status: number;
  /** From the moment at which the request was due, so that one that was sent late counts its delay. */
  ms: number;
  /** Of which it was not sent, because this process or its machine was busy. */
  lateMs: number;
  retryAfter: number | undefined;
};

const BODY = JSON.stringify({ model: 'fashion', prompt: 'sneaker', n: 1, size: '32x32', seed: 7 });

/** Status 0 where the connection broke. */
async function send(pool: Pool, dueAt: number): Promise<Answer> {
  const lateMs = performance.now() - dueAt;
  try {
    const { statusCode, headers, body } = await pool.request({
      method: 'POST',
      path: '/v1/images/generations',
      headers: { 'Content-Type': 'application/json' },
      body: BODY,
    });
    await body.dump();
    const told = headers['retry-after'];
    const retryAfter = told === undefined ? undefined : Number(told);
    return { status: statusCode, ms: performance.now() - dueAt, lateMs, retryAfter };
  } catch {
    return { status: 0, ms: performance.now() - dueAt, lateMs, retryAfter: undefined };
  }
}

/** Sends to the pools in turn, `perSecond` requests in all. The answers come in the order of sending. */
export async function openLoop(
  pools: readonly Pool[],
  perSecond: number,
  seconds: number,
): Promise<Promise<Answer>[]> {
  const sent: Promise<Answer>[] = [];
  const began = performance.now();
  const count = Math.round(perSecond * seconds);
  while (sent.length < count) {
    const due = Math.min(count, Math.floor(((performance.now() - began) / 1000) * perSecond) + 1);
    while (sent.length < due) {
      const dueAt = began + (sent.length / perSecond) * 1000;
      sent.push(send(pools[sent.length % pools.length]!, dueAt));
    }
    await wait(1);
  }
  return sent;
}
