/** Sends many times the requests that a sleeping service can hold, and tells the parent how they were answered. */
import { Pool } from 'undici';
import { openLoop, type Answer } from './load';

export type ToFlood = { origin: string; perSecond: number; seconds: number };
/** `isSent`: all have been sent; then the answers. */
export type FromFlood = { isSent: true } | { answers: Answer[] };

async function flood({ origin, perSecond, seconds }: ToFlood): Promise<void> {
  const pool = new Pool(origin, { pipelining: 1, headersTimeout: 300_000 });
  const sent = await openLoop([pool], perSecond, seconds);
  process.send!({ isSent: true } satisfies FromFlood);
  const answers = await Promise.all(sent);
  await pool.destroy();
  process.send!({ answers } satisfies FromFlood);
}

process.on('message', (order: ToFlood) => void flood(order));
process.once('disconnect', () => process.exit());
