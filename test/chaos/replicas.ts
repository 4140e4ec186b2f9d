/**
 * Standby operators: the leader is killed, terminated, or frozen for longer than its lease and then resumed. A standby
 * takes over in time, and no two ever write at once, which the audit log shows by their users.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { LeaderTiming } from '../../src/runtime/leader';
import { checkWriters, readAudit, writersOf } from './audit';
import { allowAccounts, createIdentity, userOf } from './identity';
import { attempt, check, type Check, type Outcome } from './outcome';
import { startProcess, type OperatorProcess } from './process';
import type { Random } from './random';
import { openStage, type Stage } from './stage';
import type { World } from './world';

export type ReplicaOptions = {
  timing: LeaderTiming;
  /** Repetitions of each fault. */
  rounds: number;
  inFlight: number;
  random: Random;
  report: (line: string) => void;
};

/** Longest time that a released lease may stay free, and the same in starts of an operator, for a machine under load. */
const releasedMs = 2_000;
const releasedStarts = 2;
/** Allowance for requests and timers beyond the lease's timing: a second, or a start of an operator. */
const slackMs = 1_000;

const faults = ['kill', 'release', 'freeze'] as const;
type Fault = (typeof faults)[number];

type Times = {
  ms: number;
  /** From SIGTERM, which precedes the release: work in progress is finished first. */
  fromSignalMs?: number;
};
type Takeover = Times & { fault: Fault };

type Crew = {
  /** Resolves when its caches are filled. */
  start(): Promise<OperatorProcess>;
  /** The most milliseconds that one took to start: how fast this machine is with all that it has to do. */
  slowestStart(): number;
};

/** Each operator has a user of its own. */
function createCrew(world: World, namespace: string, timing: LeaderTiming): Crew {
  let hired = 0;
  let slowest = 0;
  return {
    slowestStart: () => slowest,
    async start() {
      const { kubeconfig } = await createIdentity(world, namespace, `operator-${hired++}`);
      const election = { leaseNamespace: namespace, name: 'operator', timing };
      const operator = await startProcess({ program: world.program, kubeconfig, namespace, election });
      slowest = Math.max(slowest, (await operator.ready()) - operator.startedAt);
      return operator;
    },
  };
}

/** From the death of the leader to the leadership of the standby. */
async function afterKill(leader: OperatorProcess, standby: OperatorProcess): Promise<Times> {
  const killedAt = performance.now();
  await leader.kill();
  return { ms: (await standby.logged('became leader')) - killedAt };
}

/** From the release of the lease. */
async function afterRelease(leader: OperatorProcess, standby: OperatorProcess): Promise<Times> {
  const toldAt = performance.now();
  const [end, takenAt] = await Promise.all([leader.stop(), standby.logged('became leader')]);
  if (end.code !== 0) throw new Error(`told to end, the leader ended with ${end.code ?? end.signal}`);
  return { ms: takenAt - (await leader.logged('released the lease')), fromSignalMs: takenAt - toldAt };
}

/** From the moment it froze. It is resumed once another leads, and must then exit without a write. */
async function afterFreeze(leader: OperatorProcess, standby: OperatorProcess): Promise<Times> {
  const frozenAt = performance.now();
  leader.signal('SIGSTOP');
  const takenAt = await standby.logged('became leader');
  leader.signal('SIGCONT');
  const end = await leader.ended;
  if (end.code !== 1)
    throw new Error(`woken without its lease, it ended with ${end.code ?? end.signal}, not with 1`);
  return { ms: takenAt - frozenAt };
}

const actions = { kill: afterKill, release: afterRelease, freeze: afterFreeze } satisfies Record<
  Fault,
  unknown
>;

/** A standby watches the lease: it counts from the last renewal, and sees a release at once. */
function limitOf(fault: Fault, { leaseMs }: LeaderTiming, startMs: number): number {
  return fault === 'release'
    ? Math.max(releasedMs, releasedStarts * startMs)
    : leaseMs + Math.max(slackMs, startMs);
}

function checkTakeovers(
  fault: Fault,
  takeovers: readonly Takeover[],
  timing: LeaderTiming,
  startMs: number,
): Check {
  const ours = takeovers.filter((one) => one.fault === fault);
  const limit = Math.round(limitOf(fault, timing, startMs));
  const describe = ({ ms, fromSignalMs }: Times) =>
    `${Math.round(ms)}${fromSignalMs === undefined ? '' : ` (${Math.round(fromSignalMs)} from SIGTERM)`}`;
  return check(
    `takeover after ${fault}`,
    ours.length > 0 && ours.every(({ ms }) => ms <= limit),
    `${ours.map(describe).join(', ')} ms, at most ${limit} ms allowed`,
  );
}

/** The leader writes before the next fault, so that each leader counts in the audit log. */
async function write(stage: Stage): Promise<void> {
  await stage.create();
  await stage.settled(30_000);
}

async function cause(
  fault: Fault,
  crew: Crew,
  stage: Stage,
  pair: { leader: OperatorProcess; standby: OperatorProcess },
  random: Random,
): Promise<Takeover> {
  await delay(random.between(0, 500));
  const times = await actions[fault](pair.leader, pair.standby);
  await write(stage);
  pair.leader = pair.standby;
  pair.standby = await crew.start();
  return { fault, ...times };
}

export async function replicaScenario(world: World, options: ReplicaOptions): Promise<Outcome> {
  const { timing, rounds, random, report } = options;
  const stage = await openStage(world, { random: random.fork('stage'), waitMs: 300, runMs: 600 });
  await allowAccounts(world, stage.namespace);
  const crew = createCrew(world, stage.namespace, timing);
  const takeovers: Takeover[] = [];
  const leader = await crew.start();
  await leader.logged('became leader');
  const pair = { leader, standby: await crew.start() };
  const busy = stage.keepBusy(options.inFlight, () => true);
  try {
    const story = await attempt('runs end under any leader', async () => {
      await write(stage);
      for (let round = 0; round < rounds; round++) {
        for (const fault of faults) {
          const takeover = await cause(fault, crew, stage, pair, random);
          takeovers.push(takeover);
          report(`takeover ${Math.round(takeover.ms)} ms after ${fault}`);
        }
      }
      await busy.stop();
      await stage.finished(60_000);
      return `${stage.lives.length} runs under ${takeovers.length + 1} leaders`;
    });
    // The standby first, so that no other takes over.
    await pair.standby.stop();
    await pair.leader.stop();
    const events = await readAudit(world.plane.auditLog, stage.namespace);
    const prefix = userOf(stage.namespace, 'operator-');
    const writers = writersOf(events, (user) => user.startsWith(prefix));
    return {
      checks: [
        story,
        ...faults.map((fault) => checkTakeovers(fault, takeovers, timing, crew.slowestStart())),
        checkWriters(writers, takeovers.length + 1),
        ...(await stage.verify()),
      ],
      figures: { timing, takeovers, writers },
    };
  } finally {
    await busy.stop().catch(() => undefined);
    await Promise.all([pair.leader.kill(), pair.standby.kill()]);
    await stage.close();
  }
}
