/** etcd over its HTTP gateway. */
import { request } from '../cluster/http';

async function call<T>(url: string, path: string, body: object): Promise<T> {
  const answer = await request(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) });
  if (answer.status !== 200) throw new Error(`etcd answers ${answer.status} to ${path}: ${answer.body}`);
  return JSON.parse(answer.body) as T;
}

/** Compacts all history; returns the oldest revision that is left. */
export async function compact(url: string): Promise<number> {
  const key = Buffer.from('/').toString('base64');
  const { header } = await call<{ header: { revision: string } }>(url, '/v3/kv/range', { key });
  await call(url, '/v3/kv/compaction', { revision: header.revision, physical: true });
  return Number(header.revision);
}
