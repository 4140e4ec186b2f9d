/** A few requests to the API server and the components' health pages. No client library, because `up` must start fast. */
import http from 'node:http';
import https from 'node:https';
import { readCredentials, type TlsFiles } from './pki';

export type Response = { status: number; body: string };

type RequestOptions = {
  method?: string;
  body?: string;
  contentType?: string;
  authorization?: string;
  tls?: TlsFiles;
  timeoutMs?: number;
};

export function request(url: string, options: RequestOptions = {}): Promise<Response> {
  const { method = 'GET', body, contentType, authorization, tls, timeoutMs = 5_000 } = options;
  const send = url.startsWith('https:') ? https.request : http.request;
  return new Promise((resolve, reject) => {
    const outgoing = send(
      url,
      {
        method,
        timeout: timeoutMs,
        headers: {
          'User-Agent': 'sparsedm-cluster',
          ...(authorization === undefined ? {} : { Authorization: authorization }),
          ...(body === undefined
            ? {}
            : {
                'Content-Type': contentType ?? 'application/json',
                'Content-Length': Buffer.byteLength(body),
              }),
        },
        // Controller manager and scheduler sign their own certificates; their health page is not secret.
        ...(url.startsWith('https:') ? (tls ?? { rejectUnauthorized: false }) : {}),
        agent: false,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
        response.on('error', reject);
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer from ${url} in ${timeoutMs} ms`)));
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** True when the page answers 200. */
export function answers(url: string, tls?: TlsFiles): Promise<boolean> {
  return request(url, { timeoutMs: 2_000, ...(tls ? { tls } : {}) }).then(
    ({ status }) => status === 200,
    () => false,
  );
}

export type Api = {
  get<T>(path: string): Promise<T | undefined>;
  apply(path: string, object: unknown): Promise<void>;
  patch(path: string, contentType: string, patch: unknown): Promise<void>;
  remove(path: string): Promise<void>;
};

/** The API server as administrator. */
export function api(server: string, pki: string): Api {
  const tls = readCredentials(pki, 'admin');
  async function call(method: string, path: string, contentType?: string, body?: string): Promise<Response> {
    const response = await request(`${server}${path}`, {
      method,
      tls,
      ...(body === undefined ? {} : { body }),
      ...(contentType === undefined ? {} : { contentType }),
    });
    if (response.status >= 400 && response.status !== 404) {
      throw new Error(`${method} ${path}: ${response.status} ${response.body.slice(0, 500)}`);
    }
    return response;
  }
  async function change(path: string, contentType: string, value: unknown): Promise<void> {
    const { status } = await call('PATCH', path, contentType, JSON.stringify(value));
    if (status === 404) throw new Error(`PATCH ${path}: not found`);
  }
  return {
    get: async <T>(path: string) => {
      const { status, body } = await call('GET', path);
      return status === 404 ? undefined : (JSON.parse(body) as T);
    },
    apply: (path, object) =>
      change(`${path}?fieldManager=sparsedm-cluster&force=true`, 'application/apply-patch+yaml', object),
    patch: change,
    remove: async (path) => {
      await call('DELETE', path);
    },
  };
}
