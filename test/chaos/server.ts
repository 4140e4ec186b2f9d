/** Faults of API servers: crashes, a lost database or history, changed credentials and definitions. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sparseFinetunes } from '../../src/api/types';
import { createKubeClient } from '../../src/kube/client';
import { trainJobName } from '../../src/kube/names';
import { jobs } from '../../src/kube/resources';
import { realClock } from '../../src/runtime/clock';
import { createTransport } from '../../src/runtime/http/transport';
import { leases } from '../../src/runtime/leader';
import { request } from '../cluster/http';
import { ensurePki, readCredentials, type TlsFiles } from '../cluster/pki';
import { waitFor } from '../cluster/wait';
import { definitions, installDefinitions } from '../integration/setup';
import { finetune } from '../integration/specs';
import { readAudit } from './audit';
import { compact } from './etcd';
import { allowAccounts, createIdentity, issueToken, replaceFile, userOf, writeKubeconfig } from './identity';
import { attempt, check, type Check, type Outcome } from './outcome';
import { startProcess, type OperatorProcess, type ProcessOptions } from './process';
import type { Random } from './random';
import { openStage, type Stage } from './stage';
import type { World } from './world';

export type ServerOptions = {
  /** Runs at one time. */
  inFlight: number;
  random: Random;
  report: (line: string) => void;
  only?: readonly ServerFault[];
};

const finishMs = 90_000;

type Scene = {
  world: World;
  stage: Stage;
  operator: OperatorProcess;
  inFlight: number;
  random: Random;
};
type Prepared = Partial<ProcessOptions>;

/** Runs before, during and after the fault end as they should. */
async function withRuns(scene: Scene, fault: () => Promise<string>): Promise<string> {
  const { stage, inFlight } = scene;
  const busy = stage.keepBusy(inFlight, () => true);
  try {
    await stage.created(2 * inFlight);
    const told = await fault();
    const during = stage.lives.length;
    await stage.created(during + inFlight);
    await busy.stop();
    const stoppedAt = performance.now();
    await stage.finished(finishMs);
    const seconds = ((performance.now() - stoppedAt) / 1000).toFixed(1);
    return `${told}; ${stage.lives.length} runs ended, the last ${seconds} s after the end of the load`;
  } finally {
    await busy.stop().catch(() => undefined);
  }
}

async function crashApiServer(scene: Scene): Promise<string> {
  const { plane } = scene.world;
  return withRuns(scene, async () => {
    for (let crash = 0; crash < 2; crash++) {
      await plane.apiServer.stop('SIGKILL');
      await plane.apiServer.start();
      await delay(scene.random.between(0, 1_000));
    }
    return 'API server killed twice';
  });
}

async function crashEtcd(scene: Scene): Promise<string> {
  const { plane } = scene.world;
  return withRuns(scene, async () => {
    await plane.etcd.stop('SIGKILL');
    await delay(scene.random.between(500, 2_000));
    await plane.etcd.start();
    return 'etcd killed';
  });
}

/** The operator is frozen during a deletion, a compaction and a restart: the version that it watches from is gone. */
async function forgetHistory(scene: Scene): Promise<string> {
  const { world, stage, operator } = scene;
  return withRuns(scene, async () => {
    const lists = await operator.metric('reflector_lists_total');
    operator.signal('SIGSTOP');
    const [doomed] = await Promise.all([deleteRun(world, stage), stage.create()]);
    const revision = await compact(world.plane.etcdUrl);
    await world.plane.apiServer.restart();
    operator.signal('SIGCONT');
    await waitFor(async () => (await operator.metric('reflector_lists_total')) > lists, {
      what: 'the operator to list again',
      timeoutMs: 30_000,
    });
    return `etcd compacted at revision ${revision}, ${doomed} deleted unseen, caches relisted`;
  });
}

/** A run of another name than those of the stage, so that its deletion disturbs no invariant. */
async function deleteRun({ server }: World, { namespace }: Stage): Promise<string> {
  const name = 'deleted-unseen';
  await server.client.create(sparseFinetunes, {
    ...finetune(name, namespace),
    metadata: { name, namespace },
  });
  await server.client.delete(sparseFinetunes, { namespace, name });
  return name;
}

type Probe = { authorization: string } | { tls: TlsFiles };

async function statusFor(url: string, probe: Probe): Promise<number> {
  return (await request(`${url}/api/v1/namespaces/default`, probe)).status;
}

/** The token's account is deleted, which revokes the token, after the file holds that of another account. */
async function rotateToken(scene: Scene): Promise<string> {
  const { world, stage } = scene;
  const { namespace } = stage;
  const file = tokenFileOf(world, namespace);
  return withRuns(scene, async () => {
    const old = await readFile(file, 'utf8');
    await replaceFile(file, await issueToken(world, namespace, 'second'));
    await world.server.transport.request({
      method: 'DELETE',
      path: `/api/v1/namespaces/${namespace}/serviceaccounts/first`,
    });
    await waitFor(
      async () => (await statusFor(world.plane.url, { authorization: `Bearer ${old}` })) === 401,
      {
        what: 'the old token to be refused',
        timeoutMs: 60_000,
      },
    );
    await waitFor(async () => (await lastUser(world, namespace)) === userOf(namespace, 'second'), {
      what: 'the operator to use the new token',
      timeoutMs: 60_000,
      intervalMs: 1_000,
    });
    return 'token replaced and the old one revoked';
  });
}

async function lastUser(world: World, namespace: string): Promise<string | undefined> {
  const events = await readAudit(world.plane.auditLog, namespace);
  return events.findLast(({ userAgent }) => userAgent?.startsWith('sparsedm-operator/'))?.user.username;
}

function tokenFileOf(world: World, namespace: string): string {
  return path.join(world.folder, `${namespace}-first.token`);
}

async function prepareToken(world: World, stage: Stage): Promise<Prepared> {
  await allowAccounts(world, stage.namespace);
  const { kubeconfig } = await createIdentity(world, stage.namespace, 'first');
  return { kubeconfig };
}

const certificateFiles = (world: World) => ({
  certificate: path.join(world.folder, 'operator.crt'),
  key: path.join(world.folder, 'operator.key'),
});

async function prepareCertificate(world: World): Promise<Prepared> {
  const { certificate, key } = certificateFiles(world);
  const { cert, key: secret } = readCredentials(path.join(world.plane.directory, 'pki'), 'admin');
  await replaceFile(certificate, cert);
  await replaceFile(key, secret);
  const file = path.join(world.folder, 'certificate.kubeconfig');
  return {
    kubeconfig: await writeKubeconfig(world, file, { 'client-certificate': certificate, 'client-key': key }),
  };
}

/** The authority that signed the operator's certificate is no longer trusted, after its files hold another's. */
async function rotateCertificate(scene: Scene): Promise<string> {
  const { world, stage } = scene;
  const pki = path.join(world.plane.directory, 'pki');
  const other = path.join(world.folder, 'pki');
  await ensurePki(world.plane.binaries.k8s, other, ['127.0.0.1']);
  const authority = path.join(pki, 'ca.crt');
  const trusted = await readFile(authority, 'utf8');
  const old = readCredentials(pki, 'admin');
  const next = { ...readCredentials(other, 'admin'), ca: trusted };
  const answers = (tls: typeof old, status: number) =>
    waitFor(async () => (await statusFor(world.plane.url, { tls })) === status, {
      what: `a certificate to be answered ${status}`,
      timeoutMs: 90_000,
    });
  return withRuns(scene, async () => {
    await writeFile(authority, trusted + (await readFile(path.join(other, 'ca.crt'), 'utf8')));
    await answers(next, 200);
    const { certificate, key } = certificateFiles(world);
    // Two files cannot be replaced atomically: for a moment they do not match, as in real rotations.
    await replaceFile(key, next.key);
    await replaceFile(certificate, next.cert);
    await writeFile(authority, await readFile(path.join(other, 'ca.crt'), 'utf8'));
    await answers(old, 401);
    try {
      return await workAlone(world, stage, next);
    } finally {
      await writeFile(authority, trusted + (await readFile(path.join(other, 'ca.crt'), 'utf8')));
      await answers(old, 200);
    }
  });
}

/** Only holders of this certificate get in, and the operator still makes a Job. */
async function workAlone(world: World, stage: Stage, tls: TlsFiles): Promise<string> {
  const credentials = () => Promise.resolve({ headers: {}, tls });
  const transport = createTransport({
    connection: { server: world.plane.url, credentials },
    clock: realClock,
    userAgent: 'chaos',
  });
  const client = createKubeClient({ transport });
  const name = 'rotated';
  const key = { namespace: stage.namespace, name };
  const startedAt = performance.now();
  try {
    await client.create(sparseFinetunes, finetune(name, stage.namespace));
    await waitFor(() => client.get(jobs, { ...key, name: trainJobName(name) }), {
      what: 'a Job under the new certificate',
      timeoutMs: 60_000,
    });
  } finally {
    await transport.close();
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  return `certificate replaced and the old one revoked, a Job made ${seconds} s later`;
}

const definitionNames = ['sparsefinetunes.sparsedm.io', 'sparseinferenceservices.sparsedm.io'];

async function removeDefinitions({ server }: World): Promise<void> {
  for (const name of definitionNames) {
    await server.client.delete(definitions, { namespace: '', name });
    await waitFor(async () => (await server.client.get(definitions, { namespace: '', name })) === undefined, {
      what: `${name} to be gone`,
      timeoutMs: 60_000,
    });
  }
}

async function recreateDefinitions(scene: Scene): Promise<string> {
  const { world, stage } = scene;
  const doomed = 'goes-with-its-definition';
  const key = { namespace: stage.namespace, name: doomed };
  await world.server.client.create(sparseFinetunes, finetune(doomed, stage.namespace));
  await waitFor(() => world.server.client.get(jobs, { ...key, name: trainJobName(doomed) }), {
    what: 'the Job of the run that goes',
    timeoutMs: 30_000,
  });
  await removeDefinitions(world);
  await installDefinitions(world.server.transport);
  const installedAt = performance.now();
  const told = await withRuns(scene, async () => {
    await stage.settled(30_000);
    return `definitions deleted and made again, new runs settled ${((performance.now() - installedAt) / 1000).toFixed(1)} s later`;
  });
  if ((await world.server.client.get(sparseFinetunes, key)) !== undefined)
    throw new Error(`${doomed} is back`);
  return told;
}

async function startWithoutDefinitions(scene: Scene): Promise<string> {
  const { world, random, stage } = scene;
  await removeDefinitions(world);
  const { kubeconfig } = world.server;
  const early = await startProcess({ program: world.program, kubeconfig, namespace: stage.namespace });
  try {
    await early.logged('starting');
    await delay(random.between(1_000, 3_000));
    if (await early.isReady()) throw new Error('the operator is ready without the definitions');
    await installDefinitions(world.server.transport);
    const installedAt = performance.now();
    const readyAt = await early.ready();
    return `ready ${((readyAt - installedAt) / 1000).toFixed(1)} s after the definitions were installed`;
  } finally {
    await early.stop();
  }
}

const timing = { leaseMs: 3_000, renewDeadlineMs: 2_000, retryMs: 400 };

function prepareClock(jumpMs: number): (world: World, stage: Stage) => Promise<Prepared> {
  return (_, stage) =>
    Promise.resolve({
      election: { leaseNamespace: stage.namespace, name: 'operator', timing },
      nodeFlags: ['--import', fileURLToPath(new URL('clock-jump.mjs', import.meta.url))],
      env: { CHAOS_CLOCK_JUMP_MS: String(jumpMs) },
    });
}

/** The leader's wall clock jumps ahead and the standby's back, by an hour. Nobody takes over: durations use monotonic clocks. */
async function jumpClocks(scene: Scene): Promise<string> {
  const { world, stage, operator } = scene;
  const key = { namespace: stage.namespace, name: 'operator' };
  const lease = async () => (await world.server.client.get(leases, key))?.spec;
  const standby = await startProcess({
    program: world.program,
    kubeconfig: world.server.kubeconfig,
    namespace: stage.namespace,
    ...(await prepareClock(-3_600_000)(world, stage)),
  });
  try {
    await standby.ready();
    const before = await lease();
    operator.signal('SIGUSR2');
    standby.signal('SIGUSR2');
    const told = await withRuns(scene, async () => {
      const renewals = new Set<string>();
      // Enough renewals for two whole leases, under the new time.
      await waitFor(
        async () =>
          renewals.add((await lease())?.renewTime ?? '').size > (2 * timing.leaseMs) / timing.retryMs,
        {
          what: 'the lease to be renewed',
          timeoutMs: 60_000,
        },
      );
      const ahead = Date.parse((await lease())?.renewTime ?? '') - Date.now();
      if (ahead < 3_500_000) throw new Error(`the leader's clock is ${ahead} ms ahead, so it did not jump`);
      return `leader an hour ahead, standby an hour behind, ${renewals.size} renewals`;
    });
    const after = await lease();
    if (
      after?.holderIdentity !== before?.holderIdentity ||
      after?.leaseTransitions !== before?.leaseTransitions
    ) {
      throw new Error(`the lease went from ${before?.holderIdentity} to ${after?.holderIdentity}`);
    }
    return told;
  } finally {
    await standby.stop();
  }
}

type Fault = {
  /** The API server is killed, and with it perhaps a line of its log. */
  losesAudit?: true;
  prepare?: (world: World, stage: Stage) => Promise<Prepared>;
  cause(scene: Scene): Promise<string>;
};

const faults = {
  'API server crash': { losesAudit: true, cause: crashApiServer },
  'etcd crash': { cause: crashEtcd },
  'etcd compaction': { cause: forgetHistory },
  'token rotation': { prepare: prepareToken, cause: rotateToken },
  'certificate rotation': { prepare: prepareCertificate, cause: rotateCertificate },
  'definitions missing at start': { cause: startWithoutDefinitions },
  'definitions made again': { cause: recreateDefinitions },
  'clock jump': { prepare: prepareClock(3_600_000), cause: jumpClocks },
} satisfies Record<string, Fault>;

export type ServerFault = keyof typeof faults;

async function play(
  world: World,
  name: ServerFault,
  { inFlight, random, report }: ServerOptions,
): Promise<Check[]> {
  const fault: Fault = faults[name];
  report(name);
  const stage = await openStage(world, { random: random.fork(name), waitMs: 300, runMs: 600 });
  const prepared = (await fault.prepare?.(world, stage)) ?? {};
  const { kubeconfig } = world.server;
  const operator = await startProcess({
    program: world.program,
    kubeconfig,
    namespace: stage.namespace,
    ...prepared,
  });
  try {
    const caused = await attempt(name, async () => {
      await operator.ready();
      return fault.cause({ world, stage, operator, inFlight, random });
    });
    const alive = check(`${name}: the operator lives on`, await operator.isReady(), 'same process, ready');
    const verified = await stage.verify({ auditIsComplete: fault.losesAudit !== true });
    return [caused, alive, ...verified.map((each) => ({ ...each, name: `${name}: ${each.name}` }))];
  } finally {
    operator.signal('SIGCONT');
    await operator.stop();
    await stage.close();
  }
}

export async function serverScenario(world: World, options: ServerOptions): Promise<Outcome> {
  const names = options.only ?? (Object.keys(faults) as ServerFault[]);
  const checks: Check[] = [];
  for (const name of names) checks.push(...(await play(world, name, options)));
  return { checks, figures: {} };
}
