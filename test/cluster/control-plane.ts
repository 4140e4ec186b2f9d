/**
 * etcd and an API server of its own for an integration test, in a temporary folder on free ports: ready in 3 to 4 s,
 * needs no root. Both end with the process that started them.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ensureBinaries, type Binaries, type Report } from './binaries';
import { apiServerArgs, auditPolicy, controllerManagerArgs, etcdArgs } from './configs';
import { answers } from './http';
import { ensurePki, readCredentials, writeAdminKubeconfig, writeComponentKubeconfig } from './pki';
import { loopback } from './settings';
import { ClusterError, waitFor } from './wait';

export type ControlPlaneOptions = {
  /** Run the controller manager too: service accounts, namespaces that end, garbage collection, Jobs' status. */
  controllerManager?: boolean | undefined;
  /** Keep the folder (logs, audit log, etcd's data) after stop(). */
  keep?: boolean | undefined;
  report?: Report | undefined;
};

/** One process of the control plane, for tests that take it away. */
export type ControlledProcess = {
  start(): Promise<void>;
  /** SIGTERM unless told otherwise; returns when the process has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  restart(): Promise<void>;
};

export type ControlPlane = {
  /** Path of the administrator's kubeconfig; it stays valid over restarts. */
  kubeconfig: string;
  url: string;
  /** Of etcd's clients: gRPC, and JSON over HTTP. */
  etcdUrl: string;
  auditLog: string;
  /** The folder with everything: logs, keys, audit log. */
  directory: string;
  binaries: Binaries;
  apiServer: ControlledProcess;
  etcd: ControlledProcess;
  /** Present when asked for. */
  controllerManager?: ControlledProcess;
  /** Ends all and starts all again, with the same data and addresses. */
  restart(): Promise<void>;
  /** Ends all and removes the folder. */
  stop(): Promise<void>;
};

/** Ports that were free a moment ago. All are held at once, so that they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(0, loopback, resolve);
      });
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has no port');
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function controlled(
  binaries: Binaries,
  logFile: string,
  [name = '', ...args]: readonly string[],
  healthy: () => Promise<boolean>,
): ControlledProcess {
  let child: ChildProcess | undefined;
  const start = async () => {
    if (child && !hasEnded(child)) return;
    const log = openSync(logFile, 'a');
    // They end with a test run that is killed: the kernel signals them when their parent ends.
    const started = spawn('setpriv', ['--pdeathsig', 'KILL', binaries.k8s, name, ...args], {
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    let failure: Error | undefined;
    started.on('error', (error) => (failure = error));
    started.unref();
    child = started;
    await waitFor(healthy, {
      what: `${name} to answer; its log is ${logFile}`,
      timeoutMs: 60_000,
      intervalMs: 50,
      abort: () => {
        if (failure) throw new ClusterError('cannot run setpriv (package util-linux)', { cause: failure });
        if (hasEnded(started))
          throw new ClusterError(`${name} ended while it started:\n${lastLines(logFile)}`);
      },
    });
  };
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    const ending = child;
    if (!ending || hasEnded(ending)) return;
    const ended = new Promise<void>((resolve) => ending.once('exit', () => resolve()));
    ending.ref();
    ending.kill(signal);
    // A process that gets SIGTERM while it starts may hang; what it has answered is safe in etcd.
    const hard = setTimeout(() => ending.kill('SIGKILL'), 5_000);
    await ended;
    clearTimeout(hard);
  };
  return {
    start,
    stop,
    restart: async () => {
      await stop();
      await start();
    },
  };
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-5).join('\n');
}

export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await ensureBinaries(options);
  const directory = await mkdtemp(path.join(tmpdir(), 'sparsedm-control-plane-'));
  const at = (...parts: string[]) => path.join(directory, ...parts);
  const [etcdPort = 0, peerPort = 0, apiPort = 0, managerPort = 0] = await freePorts(4);
  const url = `https://${loopback}:${apiPort}`;
  const etcdUrl = `http://${loopback}:${etcdPort}`;
  const kubeconfig = at('kubeconfig');
  const auditLog = at('audit', 'audit.log');

  await mkdir(path.dirname(auditLog));
  await ensurePki(binaries.k8s, at('pki'), [loopback]);
  await writeFile(at('audit-policy.yaml'), auditPolicy());
  await writeAdminKubeconfig(kubeconfig, url, at('pki'));
  await writeComponentKubeconfig(at('controller-manager.kubeconfig'), url, at('pki'), 'controller-manager');

  const etcd = controlled(
    binaries,
    at('etcd.log'),
    ['etcd', ...etcdArgs(at('etcd'), etcdUrl, `http://${loopback}:${peerPort}`)],
    () => answers(`${etcdUrl}/readyz`),
  );
  const admin = readCredentials(at('pki'), 'admin');
  const apiServer = controlled(
    binaries,
    at('kube-apiserver.log'),
    [
      'kube-apiserver',
      ...apiServerArgs({
        address: loopback,
        port: apiPort,
        etcd: etcdUrl,
        pki: at('pki'),
        auditPolicy: at('audit-policy.yaml'),
        auditLog,
        node: false,
      }),
    ],
    () => answers(`${url}/readyz`, admin),
  );
  const controllerManager = options.controllerManager
    ? controlled(
        binaries,
        at('kube-controller-manager.log'),
        [
          'kube-controller-manager',
          ...controllerManagerArgs(at('pki'), at('controller-manager.kubeconfig'), managerPort),
        ],
        () => answers(`https://${loopback}:${managerPort}/healthz`),
      )
    : undefined;

  const startAll = async () => {
    await etcd.start();
    await apiServer.start();
    await controllerManager?.start();
  };
  // The API server first: without etcd it hangs for a minute and holds its port.
  const stopAll = async () => {
    await controllerManager?.stop();
    await apiServer.stop();
    await etcd.stop();
  };
  const stop = async () => {
    await stopAll();
    if (!options.keep) await rm(directory, { recursive: true, force: true });
  };
  await startAll().catch(async (error: unknown) => {
    await stopAll();
    throw error;
  });
  return {
    kubeconfig,
    url,
    etcdUrl,
    auditLog,
    directory,
    binaries,
    apiServer,
    etcd,
    ...(controllerManager ? { controllerManager } : {}),
    restart: async () => {
      await stopAll();
      await startAll();
    },
    stop,
  };
}
