/** The part of a queue that suspends Jobs as they are made: a mutating admission webhook, called by the API server. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { jobs, type Job } from '../../src/kube/resources';
import { collectionPath, type KubeObject, type Resource } from '../../src/runtime/objects';
import { ensureBinaries } from '../cluster/index';
import { ensurePki } from '../cluster/pki';
import { eventually, type ApiServer } from './harness';

const configurations: Resource<KubeObject & { webhooks?: unknown }> = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'mutatingwebhookconfigurations',
  kind: 'MutatingWebhookConfiguration',
  namespaced: false,
};

const patch = Buffer.from(JSON.stringify([{ op: 'add', path: '/spec/suspend', value: true }]));

async function uidOf(request: IncomingMessage): Promise<string> {
  const chunks = await request.toArray();
  const review = JSON.parse(Buffer.concat(chunks as Buffer[]).toString()) as { request: { uid: string } };
  return review.request.uid;
}

/** Suspends each new Job of the finetunes that are named, from when this resolves until `stop`. */
export async function startQueueWebhook(server: ApiServer, finetunes: string[]) {
  const folder = await mkdtemp(path.join(tmpdir(), 'sparsedm-webhook-'));
  const pki = path.join(folder, 'pki');
  await ensurePki((await ensureBinaries()).k8s, pki, ['127.0.0.1']);
  const read = (name: string) => readFile(path.join(pki, name));
  const tls = { cert: await read('apiserver.crt'), key: await read('apiserver.key') };
  const webhook = createServer(tls, (request, response) => {
    const answer = (uid: string) => ({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid, allowed: true, patchType: 'JSONPatch', patch: patch.toString('base64') },
    });
    uidOf(request).then(
      (uid) => response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer(uid))),
      (error: Error) => response.destroy(error),
    );
  });
  await new Promise<void>((resolve) => webhook.listen(0, '127.0.0.1', resolve));
  const name = `queue-${server.namespace}`;
  const { port } = webhook.address() as AddressInfo;
  await server.client.create(configurations, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: configurations.kind,
    metadata: { name },
    webhooks: [
      {
        name: 'queue.sparsedm.test',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        clientConfig: {
          url: `https://127.0.0.1:${port}/`,
          caBundle: (await read('ca.crt')).toString('base64'),
        },
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': server.namespace } },
        objectSelector: {
          matchExpressions: [{ key: 'sparsedm.io/finetune', operator: 'In', values: finetunes }],
        },
        rules: [{ apiGroups: ['batch'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['jobs'] }],
      },
    ],
  });
  // The API server learns of it by a watch of its own.
  await eventually(async () => (await dryRun(server, finetunes[0] ?? '')).spec?.suspend === true);
  return {
    async stop() {
      await server.client.delete(configurations, { namespace: '', name });
      webhook.close();
      webhook.closeAllConnections();
      await rm(folder, { recursive: true });
    },
  };
}

function dryRun(server: ApiServer, finetune: string): Promise<Job> {
  const labels = { 'sparsedm.io/finetune': finetune };
  const containers = [{ name: 'c', image: 'x' }];
  return server.transport.request<Job>({
    method: 'POST',
    path: collectionPath(jobs, server.namespace),
    query: { dryRun: 'All' },
    body: {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'probe', labels },
      spec: { template: { spec: { restartPolicy: 'Never', containers } } },
    },
  });
}
