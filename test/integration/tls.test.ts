/** Connections to the API server: TLS, client certificates, tokens, plugins and proxies, against real servers. */
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer as createHttpsServer, type Server } from 'node:https';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TLSSocket } from 'node:tls';
import { KubeConfig } from '@kubernetes/client-node';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { stringify } from 'yaml';
import { realClock, type Clock } from '../../src/runtime/clock';
import { TransportError } from '../../src/runtime/errors';
import { loadConnection } from '../../src/runtime/http/credentials';
import { createTransport, type Transport } from '../../src/runtime/http/transport';
import { ensureBinaries, startControlPlane, type ControlPlane } from '../cluster/index';
import { ensurePki, type User } from '../cluster/pki';
import { eventually } from './harness';

let folder: string;
let pki: string;
let otherPki: string;
const atEnd: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sparsedm-tls-'));
  [pki, otherPki] = [path.join(folder, 'pki'), path.join(folder, 'other-pki')];
  const { k8s } = await ensureBinaries();
  await ensurePki(k8s, pki, ['127.0.0.1']);
  await ensurePki(k8s, otherPki, ['127.0.0.1']);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  for (const end of atEnd.splice(0).reverse()) await end();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const names = { cluster: 'c', user: 'u', context: 'x' };
/** A name in the API server's certificate that only a proxy can resolve here. */
const clusterName = 'kubernetes.default.svc';
let files = 0;

async function kubeconfig(cluster: object, user: object = {}): Promise<string> {
  const file = path.join(folder, `kubeconfig-${files++}.yaml`);
  const contexts = [{ name: names.context, context: { cluster: names.cluster, user: names.user } }];
  const clusters = [{ name: names.cluster, cluster }];
  const users = [{ name: names.user, user }];
  await writeFile(file, stringify({ clusters, users, contexts, 'current-context': names.context }));
  return file;
}

/** The real clock, which tests advance, so that credentials are read again. */
function movableClock(): Clock & { advance(ms: number): void } {
  let ahead = 0;
  return {
    ...realClock,
    monotonic: () => realClock.monotonic() + ahead,
    advance: (ms) => void (ahead += ms),
  };
}

function transportFor(file: string, env: Record<string, string> = {}, clock: Clock = realClock): Transport {
  const transport = createTransport({ connection: loadConnection({ kubeconfig: file }, env), clock });
  atEnd.push(() => transport.close());
  return transport;
}

/** What the server saw of a request. */
type Seen = { client: string | null; serverName: string | false; authorization: string | null };

function describeRequest(request: IncomingMessage): Seen {
  const socket = request.socket as TLSSocket;
  const subject = socket.getPeerCertificate().subject as { CN?: string } | undefined;
  return {
    client: subject?.CN ?? null,
    serverName: (socket as TLSSocket & { servername?: string | false }).servername ?? false,
    authorization: request.headers.authorization ?? null,
  };
}

/** A TLS server with the API server's certificate, that asks for client certificates and answers what it saw. */
async function tlsServer(address = '127.0.0.1'): Promise<{ port: number }> {
  const read = (name: string) => readFile(path.join(pki, name));
  const server: Server = createHttpsServer(
    {
      cert: await read('apiserver.crt'),
      key: await read('apiserver.key'),
      ca: await read('ca.crt'),
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      if (request.url?.includes('watch=true') === true) {
        const object = { metadata: { name: describeRequest(request).client } };
        return void response.write(`${JSON.stringify({ type: 'ADDED', object })}\n`);
      }
      response.end(JSON.stringify(describeRequest(request)));
    },
  );
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  atEnd.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return { port: (server.address() as AddressInfo).port };
}

const ask = (transport: Transport) => transport.request<Seen>({ method: 'GET', path: '/api' });

describe('the server’s certificate', () => {
  test('is checked against the authority of the kubeconfig', async () => {
    const { port } = await tlsServer();
    const server = `https://127.0.0.1:${port}`;
    const ours = { server, 'certificate-authority': path.join(pki, 'ca.crt') };
    const embedded = { server, 'certificate-authority-data': await readBase64(path.join(pki, 'ca.crt')) };
    const theirs = { server, 'certificate-authority': path.join(otherPki, 'ca.crt') };
    for (const cluster of [ours, embedded]) {
      expect(await ask(transportFor(await kubeconfig(cluster)))).toMatchObject({ client: null });
    }
    for (const cluster of [theirs, { server }]) {
      const refused = ask(transportFor(await kubeconfig(cluster)));
      await expect(refused).rejects.toBeInstanceOf(TransportError);
      await expect(refused).rejects.toThrow(/certificate/);
    }
  });

  test('is not checked with insecure-skip-tls-verify', async () => {
    const { port } = await tlsServer();
    const cluster = { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
    expect(await ask(transportFor(await kubeconfig(cluster)))).toMatchObject({ client: null });
  });

  test('must be for the address, or for the tls-server-name, which is then asked for', async () => {
    // The certificate is for 127.0.0.1, and for names.
    const { port } = await tlsServer('127.0.0.2');
    const cluster = {
      server: `https://127.0.0.2:${port}`,
      'certificate-authority': path.join(pki, 'ca.crt'),
    };
    await expect(ask(transportFor(await kubeconfig(cluster)))).rejects.toThrow(/altnames/);
    const named = { ...cluster, 'tls-server-name': clusterName };
    expect(await ask(transportFor(await kubeconfig(named)))).toMatchObject({ serverName: clusterName });
    const wrong = { ...cluster, 'tls-server-name': 'example.org' };
    await expect(ask(transportFor(await kubeconfig(wrong)))).rejects.toThrow(/altnames/);
  });
});

async function readBase64(file: string): Promise<string> {
  return (await readFile(file)).toString('base64');
}

/** Files of a client certificate that can be replaced by another user's. */
async function rotatingCertificate(from: string) {
  const target = await mkdtemp(path.join(folder, 'client-'));
  const [certificate, key] = [path.join(target, 'tls.crt'), path.join(target, 'tls.key')];
  const become = async (user: User) => {
    await copyFile(path.join(from, `${user}.crt`), certificate);
    await copyFile(path.join(from, `${user}.key`), key);
  };
  await become('scheduler');
  return { user: { 'client-certificate': certificate, 'client-key': key }, become };
}

describe('a client certificate', () => {
  test('is shown; when it is replaced, the next requests show the new one, and a watch goes on', async () => {
    const { port } = await tlsServer();
    const { user, become } = await rotatingCertificate(pki);
    const cluster = {
      server: `https://127.0.0.1:${port}`,
      'certificate-authority': path.join(pki, 'ca.crt'),
    };
    const clock = movableClock();
    const transport = transportFor(await kubeconfig(cluster, user), {}, clock);
    const stop = new AbortController();
    const watch = transport.watch({ path: '/api', idleMs: 60_000, signal: stop.signal });
    expect((await watch.next()).value).toMatchObject([
      { object: { metadata: { name: 'system:kube-scheduler' } } },
    ]);
    expect(await ask(transport)).toMatchObject({ client: 'system:kube-scheduler' });

    await become('kube-proxy');
    clock.advance(9_000);
    expect(await ask(transport)).toMatchObject({ client: 'system:kube-scheduler' });
    clock.advance(1_000);
    expect(await ask(transport)).toMatchObject({ client: 'system:kube-proxy' });
    // A new certificate beside the old key does no harm: the pair in use stays in use.
    await copyFile(path.join(pki, 'scheduler.crt'), user['client-certificate']);
    clock.advance(10_000);
    expect(await ask(transport)).toMatchObject({ client: 'system:kube-proxy' });
    await become('scheduler');
    clock.advance(1_000);
    expect(await ask(transport)).toMatchObject({ client: 'system:kube-scheduler' });
    const ended = watch.next();
    stop.abort();
    expect((await ended).done).toBe(true);
  });

  describe('at the API server', () => {
    let plane: ControlPlane;
    beforeAll(async () => {
      plane = await startControlPlane();
    });
    afterAll(() => plane.stop());

    async function whoAmI(transport: Transport): Promise<string> {
      const review = await transport.request<{ status: { userInfo: { username: string } } }>({
        method: 'POST',
        path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
      });
      return review.status.userInfo.username;
    }

    test('that is replaced lets the next requests act as its user', async () => {
      const planePki = path.join(plane.directory, 'pki');
      const { user, become } = await rotatingCertificate(planePki);
      const cluster = { server: plane.url, 'certificate-authority': path.join(planePki, 'ca.crt') };
      const clock = movableClock();
      const transport = transportFor(await kubeconfig(cluster, user), {}, clock);
      expect(await whoAmI(transport)).toBe('system:kube-scheduler');
      await become('kube-proxy');
      clock.advance(10_000);
      expect(await whoAmI(transport)).toBe('system:kube-proxy');
    });

    test('that the kubeconfig holds and the server does not know is read again from it after a refusal', async () => {
      const planePki = path.join(plane.directory, 'pki');
      const cluster = { server: plane.url, 'certificate-authority': path.join(planePki, 'ca.crt') };
      const embedded = async (from: string) => ({
        'client-certificate-data': await readBase64(path.join(from, 'scheduler.crt')),
        'client-key-data': await readBase64(path.join(from, 'scheduler.key')),
      });
      const file = await kubeconfig(cluster, await embedded(otherPki));
      const transport = transportFor(file);
      await expect(whoAmI(transport)).rejects.toMatchObject({ status: 401 });
      await copyFile(await kubeconfig(cluster, await embedded(planePki)), file);
      expect(await whoAmI(transport)).toBe('system:kube-scheduler');
    });
  });

  test('from an exec plugin is shown until it expires; then the plugin is asked again', async () => {
    const { port } = await tlsServer();
    const script = path.join(folder, 'certificate.mjs');
    const state = path.join(folder, 'certificate-state.json');
    await writeFile(
      script,
      `#!${process.execPath}
import { readFileSync } from 'node:fs';
const { user, expirationTimestamp } = JSON.parse(readFileSync(${JSON.stringify(state)}, 'utf8'));
const read = (ending) => readFileSync(${JSON.stringify(`${pki}/`)} + user + ending, 'utf8');
const { apiVersion } = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
const status = { clientCertificateData: read('.crt'), clientKeyData: read('.key'), expirationTimestamp };
console.log(JSON.stringify({ apiVersion, kind: 'ExecCredential', status }));
`,
    );
    await chmod(script, 0o755);
    const become = (user: User, expires: number) =>
      writeFile(state, JSON.stringify({ user, expirationTimestamp: new Date(expires).toISOString() }));
    const cluster = {
      server: `https://127.0.0.1:${port}`,
      'certificate-authority': path.join(pki, 'ca.crt'),
    };
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: script, interactiveMode: 'Never' };
    const clock = movableClock();
    await become('scheduler', Date.now() + 3_600_000);
    const transport = transportFor(await kubeconfig(cluster, { exec }), {}, clock);
    expect(await ask(transport)).toMatchObject({ client: 'system:kube-scheduler' });
    await become('kube-proxy', Date.now() + 3_600_000);
    clock.advance(10_000);
    expect(await ask(transport)).toMatchObject({ client: 'system:kube-scheduler' });

    await become('scheduler', Date.now() - 1000);
    const second = transportFor(await kubeconfig(cluster, { exec }), {}, clock);
    expect(await ask(second)).toMatchObject({ client: 'system:kube-scheduler' });
    await become('kube-proxy', Date.now() + 3_600_000);
    clock.advance(10_000);
    expect(await ask(second)).toMatchObject({ client: 'system:kube-proxy' });
  });
});

test('in a pod the token is read again, and the authority of the service account is trusted', async () => {
  const { port } = await tlsServer();
  const account = path.join(folder, 'pod', 'var/run/secrets/kubernetes.io/serviceaccount');
  await mkdir(account, { recursive: true });
  await copyFile(path.join(pki, 'ca.crt'), path.join(account, 'ca.crt'));
  await writeFile(path.join(account, 'token'), 'first\n');
  vi.stubEnv('KUBERNETES_SERVICE_HOST', '127.0.0.1');
  vi.stubEnv('KUBERNETES_SERVICE_PORT', String(port));
  const ofPod = new KubeConfig();
  ofPod.loadFromCluster(path.join(folder, 'pod'));
  vi.spyOn(KubeConfig.prototype, 'loadFromCluster').mockImplementation(function (this: KubeConfig) {
    Object.assign(this, ofPod);
  });
  const clock = movableClock();
  const env = { ...process.env, KUBECONFIG: undefined, HOME: folder };
  const transport = createTransport({ connection: loadConnection({}, env), clock });
  atEnd.push(() => transport.close());
  expect(await ask(transport)).toMatchObject({ authorization: 'Bearer first' });
  await writeFile(path.join(account, 'token'), 'second');
  // The kubelet replaces a token long before it expires; it is read again at least every minute.
  vi.setSystemTime(Date.now() + 61_000);
  clock.advance(10_000);
  expect(await ask(transport)).toMatchObject({ authorization: 'Bearer second' });
  vi.useRealTimers();
});

/** An HTTP proxy that leads every tunnel to one port of this machine, for any target. */
async function httpProxy(port: number) {
  const tunnels: { target: string; authorization: string | undefined }[] = [];
  const sockets = new Set<Socket>();
  const proxy = createHttpServer((_, response) => void response.writeHead(405).end());
  proxy.on('connect', (request: IncomingMessage, client: Socket, head: Buffer) => {
    tunnels.push({ target: request.url ?? '', authorization: request.headers['proxy-authorization'] });
    const upstream = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  atEnd.push(async () => {
    for (const socket of sockets) socket.destroy();
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  });
  return { address: `127.0.0.1:${(proxy.address() as AddressInfo).port}`, tunnels };
}

/** A SOCKS5 proxy (RFC 1928) without authentication, of the same kind. */
async function socksProxy(port: number) {
  const targets: string[] = [];
  const sockets = new Set<Socket>();
  const proxy = createTcpServer((client) => {
    sockets.add(client.on('error', () => undefined));
    client.once('data', () => {
      client.write(Buffer.from([5, 0]));
      client.once('data', (request: Buffer) => {
        const length = request[4] ?? 0;
        targets.push(`${request.subarray(5, 5 + length).toString()}:${request.readUInt16BE(5 + length)}`);
        const upstream = connect(port, '127.0.0.1', () => {
          client.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
          upstream.pipe(client).pipe(upstream);
        });
        sockets.add(upstream.on('error', () => undefined));
      });
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  atEnd.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  });
  return { address: `127.0.0.1:${(proxy.address() as AddressInfo).port}`, targets };
}

describe('a proxy', () => {
  const cluster = () => ({
    server: `https://${clusterName}:6443`,
    'certificate-authority': path.join(pki, 'ca.crt'),
  });

  test.each([
    ['HTTPS_PROXY', (address: string) => `http://${address}`, undefined],
    ['https_proxy', (address: string) => address, undefined],
    ['HTTPS_PROXY', (address: string) => `http://me:pass@${address}`, `Basic ${btoa('me:pass')}`],
  ])('of the environment (%s) is tunnelled through, with the cluster’s TLS', async (name, form, want) => {
    const { port } = await tlsServer();
    const { address, tunnels } = await httpProxy(port);
    const { user } = await rotatingCertificate(pki);
    const transport = transportFor(await kubeconfig(cluster(), user), { [name]: form(address) });
    expect(await ask(transport)).toMatchObject({ client: 'system:kube-scheduler', serverName: clusterName });
    for (let count = 0; count < 10; count++) await ask(transport);
    // A second request may begin before the first tunnel counts as free; there is never a third tunnel.
    expect(tunnels.length).toBeLessThanOrEqual(2);
    for (const tunnel of tunnels) {
      expect(tunnel).toEqual({ target: `${clusterName}:6443`, authorization: want });
    }
  });

  test('does not keep a server from being checked', async () => {
    const { port } = await tlsServer();
    const { address } = await httpProxy(port);
    const theirs = { ...cluster(), 'certificate-authority': path.join(otherPki, 'ca.crt') };
    const refused = ask(transportFor(await kubeconfig(theirs), { HTTPS_PROXY: `http://${address}` }));
    await expect(refused).rejects.toThrow(/certificate/);
  });

  test('of the kubeconfig goes before the environment’s', async () => {
    const { port } = await tlsServer();
    const [ours, other] = [await httpProxy(port), await httpProxy(port)];
    const file = await kubeconfig({ ...cluster(), 'proxy-url': `http://${ours.address}` });
    await ask(transportFor(file, { HTTPS_PROXY: `http://${other.address}` }));
    expect([ours.tunnels.length, other.tunnels.length]).toEqual([1, 0]);
  });

  test('is passed by where NO_PROXY says so', async () => {
    const { port } = await tlsServer('127.0.0.2');
    const { address, tunnels } = await httpProxy(port);
    const direct = {
      ...cluster(),
      server: `https://127.0.0.2:${port}`,
      'tls-server-name': clusterName,
    };
    const env = { HTTPS_PROXY: `http://${address}`, NO_PROXY: '10.96.0.1,127.0.0.0/8' };
    expect(await ask(transportFor(await kubeconfig(direct), env))).toMatchObject({ serverName: clusterName });
    expect(tunnels).toEqual([]);
  });

  test('may speak SOCKS5, and is told the name', async () => {
    const { port } = await tlsServer();
    const { address, targets } = await socksProxy(port);
    const file = await kubeconfig({ ...cluster(), 'proxy-url': `socks5://${address}` });
    expect(await ask(transportFor(file))).toMatchObject({ serverName: clusterName });
    expect(targets).toEqual([`${clusterName}:6443`]);
  });

  test('that breaks off fails a write and not the process', async () => {
    const dead = createTcpServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => dead.listen(0, '127.0.0.1', resolve));
    atEnd.push(() => new Promise((resolve) => dead.close(resolve)));
    const address = `127.0.0.1:${(dead.address() as AddressInfo).port}`;
    const transport = transportFor(await kubeconfig(cluster()), { HTTPS_PROXY: `http://${address}` });
    await eventually(async () => {
      await expect(ask(transport)).rejects.toBeInstanceOf(TransportError);
      return true;
    });
  });
});
