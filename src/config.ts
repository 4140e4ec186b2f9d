import { Command, InvalidArgumentError, Option } from 'commander';
import { GATEWAY_DEFAULTS, type GatewaySettings } from './gateway/settings';
import type { GatewayAccount } from './inference/gateways';
import type { LeaderTiming } from './runtime/leader';
import { POD_DEFAULTS, type PodDefaults } from './workload/pod';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** All settings of the operator. Read once at start; nothing else reads flags or environment. */
export type Config = Readonly<{
  /** Namespaces whose resources are handled; empty means all. */
  namespaces: readonly string[];
  leaderElection: Readonly<{
    enabled: boolean;
    leaseName: string;
    leaseNamespace: string;
    identity: string;
    timing: Readonly<LeaderTiming>;
  }>;
  ports: Readonly<{ metrics: number; health: number; reports: number }>;
  /** Base URL under which trainer and server pods reach the report endpoint, without a trailing slash. */
  reportsUrl: string;
  /** The gateways that wake services; undefined where there are none. */
  gateway: Readonly<GatewayAccount> | undefined;
  images: Readonly<{ trainer: string; server: string }>;
  /** Settings of every training and serving pod that do not come from its spec. */
  podDefaults: PodDefaults;
  logLevel: LogLevel;
  kubeconfig: string | undefined;
  context: string | undefined;
  /** Concurrent reconciles for each controller. */
  concurrency: number;
  /** Serve /debug beside the probes. */
  /** Whether services may be scaled by KEDA, for which the operator needs more rights. */
  keda: boolean;
  debugEndpoints: boolean;
}>;

type Environment = Readonly<Record<string, string | undefined>>;

function integerBetween(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high) {
      throw new InvalidArgumentError(`Write a whole number from ${low} to ${high}.`);
    }
    return value;
  };
}

function httpUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new InvalidArgumentError('Write an http or https URL without query, such as http://host:8082.');
  }
  return text.replace(/\/+$/, '');
}

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
const DURATION = /(\d+(?:\.\d+)?)(ms|s|m|h)/g;

/** Milliseconds in a duration in Go's notation. Example: 1m30s is 90000. */
function duration(text: string): number {
  const parts = [...text.matchAll(DURATION)];
  const total = parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit as 's'], 0);
  if (parts.map(([part]) => part).join('') !== text || total <= 0) {
    throw new InvalidArgumentError('Write a duration such as 15s, 500ms or 1m30s.');
  }
  return total;
}

/** The error in the timing of the lease; undefined when there is none. */
function timingProblem({ leaseMs, renewDeadlineMs, retryMs }: LeaderTiming): string | undefined {
  if (leaseMs % 1000 !== 0)
    return 'the lease duration must be whole seconds, since a Lease holds no fractions';
  if (renewDeadlineMs >= leaseMs) {
    return 'the renew deadline must be shorter than the lease duration, so that a leader stops before another starts';
  }
  if (retryMs >= renewDeadlineMs) {
    return 'the retry period must be shorter than the renew deadline, so that a leader can try more than once';
  }
  return undefined;
}

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

function namespaceList(text: string, previous: string[] | undefined): string[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const wrong = names.find((name) => !NAMESPACE.test(name));
  if (wrong !== undefined) throw new InvalidArgumentError(`"${wrong}" can't be the name of a namespace.`);
  return [...new Set([...(previous ?? []), ...names])];
}

/** Namespace and name of a ServiceAccount. */
function account(text: string): string {
  const [namespace = '', name = '', ...more] = text.split('/');
  if (!NAMESPACE.test(namespace) || !SECRET.test(name) || more.length > 0) {
    throw new InvalidArgumentError('Write NAMESPACE/NAME of a ServiceAccount.');
  }
  return text;
}

function labelSelector(text: string): string {
  if (!/^[^=!,\s]+=[^=!,\s]*(,[^=!,\s]+=[^=!,\s]*)*$/.test(text)) {
    throw new InvalidArgumentError('Write labels as KEY=VALUE, separated by commas.');
  }
  return text;
}

const SECRET = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

function secretList(text: string, previous: string[] | undefined): string[] {
  const names = text.split(',').map((name) => name.trim());
  const wrong = names.find((name) => !SECRET.test(name));
  if (wrong !== undefined) throw new InvalidArgumentError(`"${wrong}" can't be the name of a Secret.`);
  return [...new Set([...(previous ?? []), ...names])];
}

function jsonObject(text: string): Record<string, unknown> {
  const wrong = new InvalidArgumentError('Write a JSON object, such as {"runAsNonRoot":true}.');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong;
  return value as Record<string, unknown>;
}

function booleanWord(text: string): boolean {
  if (text === 'true') return true;
  if (text === 'false') return false;
  throw new InvalidArgumentError('Write true or false.');
}

type Setting = {
  flags: string;
  env?: string;
  description: string;
  parse?: (text: string, previous: never) => unknown;
};

/** Every flag with its environment variable; a flag on the command line wins over the environment. */
const SETTINGS = {
  namespace: {
    flags: '--namespace <names>',
    env: 'SPARSEDM_NAMESPACES',
    description: 'namespaces to handle, repeated or separated by commas (default: all)',
    parse: namespaceList,
  },
  leaderElect: {
    flags: '--leader-elect [boolean]',
    env: 'SPARSEDM_LEADER_ELECT',
    description: 'let only one replica act at a time (default: true)',
    parse: booleanWord,
  },
  leaseName: {
    flags: '--lease-name <name>',
    env: 'SPARSEDM_LEASE_NAME',
    description: 'name of the leader Lease (default: sparsedm-operator)',
  },
  leaseNamespace: {
    flags: '--lease-namespace <name>',
    env: 'SPARSEDM_LEASE_NAMESPACE',
    description: 'namespace of the leader Lease (default: POD_NAMESPACE, else sparsedm-system)',
  },
  leaderElectLeaseDuration: {
    flags: '--leader-elect-lease-duration <duration>',
    env: 'SPARSEDM_LEADER_ELECT_LEASE_DURATION',
    description: 'how long standbys wait for a leader that no longer renews the Lease (default: 15s)',
    parse: duration,
  },
  leaderElectRenewDeadline: {
    flags: '--leader-elect-renew-deadline <duration>',
    env: 'SPARSEDM_LEADER_ELECT_RENEW_DEADLINE',
    description: 'how long a leader continues without renewing the Lease (default: 10s)',
    parse: duration,
  },
  leaderElectRetryPeriod: {
    flags: '--leader-elect-retry-period <duration>',
    env: 'SPARSEDM_LEADER_ELECT_RETRY_PERIOD',
    description: 'time between attempts to take or renew the Lease (default: 2s)',
    parse: duration,
  },
  metricsPort: {
    flags: '--metrics-port <port>',
    env: 'SPARSEDM_METRICS_PORT',
    description: 'port of /metrics (default: 8080)',
    parse: integerBetween(0, 65535),
  },
  healthPort: {
    flags: '--health-port <port>',
    env: 'SPARSEDM_HEALTH_PORT',
    description: 'port of /healthz and /readyz (default: 8081)',
    parse: integerBetween(0, 65535),
  },
  reportsPort: {
    flags: '--reports-port <port>',
    env: 'SPARSEDM_REPORTS_PORT',
    description: 'port that takes reports from trainer and server pods (default: 8082)',
    parse: integerBetween(0, 65535),
  },
  reportsUrl: {
    flags: '--reports-url <url>',
    env: 'SPARSEDM_REPORTS_URL',
    description:
      'base URL under which pods reach the reports port (default: http://sparsedm-operator.NAMESPACE.svc:8082)',
    parse: httpUrl,
  },
  gatewayAccount: {
    flags: '--gateway-account <namespace/name>',
    env: 'SPARSEDM_GATEWAY_ACCOUNT',
    description:
      'ServiceAccount of the gateways, which alone may tell of requests for sleeping services (default: no gateway)',
    parse: account,
  },
  gatewaySelector: {
    flags: '--gateway-selector <labels>',
    env: 'SPARSEDM_GATEWAY_SELECTOR',
    description:
      'labels of the gateways’ pods, in the namespace of their ServiceAccount (default: app.kubernetes.io/component=gateway)',
    parse: labelSelector,
  },
  trainerImage: {
    flags: '--trainer-image <image>',
    env: 'SPARSEDM_TRAINER_IMAGE',
    description: 'image of training pods when spec.trainer.image is absent (default: sparsedm/trainer:0.1.0)',
  },
  serverImage: {
    flags: '--server-image <image>',
    env: 'SPARSEDM_SERVER_IMAGE',
    description: 'image of serving pods when spec.server.image is absent (default: sparsedm/serving:0.1.0)',
  },
  imagePullSecrets: {
    flags: '--image-pull-secrets <names>',
    env: 'SPARSEDM_IMAGE_PULL_SECRETS',
    description:
      'Secrets, in the pods’ namespaces, with which training and serving pods pull images in addition to those of their spec, repeated or separated by commas (default: none)',
    parse: secretList,
  },
  podSecurityContext: {
    flags: '--pod-security-context <json>',
    env: 'SPARSEDM_POD_SECURITY_CONTEXT',
    description:
      'pod security context of training and serving pods (default: user, group and fsGroup 10001, as the restricted standard requires)',
    parse: jsonObject,
  },
  logLevel: {
    flags: '--log-level <level>',
    env: 'SPARSEDM_LOG_LEVEL',
    description: `one of ${LOG_LEVELS.join(', ')} (default: info)`,
    parse: (text: string) => {
      const level = LOG_LEVELS.find((candidate) => candidate === text);
      if (level === undefined) throw new InvalidArgumentError(`Write one of ${LOG_LEVELS.join(', ')}.`);
      return level;
    },
  },
  kubeconfig: {
    flags: '--kubeconfig <file>',
    description:
      'kubeconfig to use (default: KUBECONFIG, else ~/.kube/config, else the pod’s service account)',
  },
  context: {
    flags: '--context <name>',
    description: 'context of the kubeconfig (default: its current context)',
  },
  concurrency: {
    flags: '--concurrency <count>',
    env: 'SPARSEDM_CONCURRENCY',
    description: 'concurrent reconciles for each controller (default: 8)',
    parse: integerBetween(1, 256),
  },
  keda: {
    flags: '--keda [boolean]',
    env: 'SPARSEDM_KEDA',
    description: 'let services scale by KEDA: needs rights to its kinds and to ConfigMaps',
    parse: booleanWord,
  },
  debugEndpoints: {
    flags: '--debug-endpoints [boolean]',
    env: 'SPARSEDM_DEBUG_ENDPOINTS',
    description: 'serve queues and caches as JSON at /debug of the health port (default: false)',
    parse: booleanWord,
  },
} satisfies Record<string, Setting>;

type Options = {
  namespace?: string[];
  leaderElect?: boolean;
  leaseName?: string;
  leaseNamespace?: string;
  leaderElectLeaseDuration?: number;
  leaderElectRenewDeadline?: number;
  leaderElectRetryPeriod?: number;
  metricsPort?: number;
  healthPort?: number;
  reportsPort?: number;
  reportsUrl?: string;
  gatewayAccount?: string;
  gatewaySelector?: string;
  trainerImage?: string;
  serverImage?: string;
  imagePullSecrets?: string[];
  podSecurityContext?: PodDefaults['securityContext'];
  logLevel?: LogLevel;
  kubeconfig?: string;
  context?: string;
  concurrency?: number;
  keda?: boolean;
  debugEndpoints?: boolean;
};

function toOption({ flags, env, description, parse }: Setting): Option {
  const option = new Option(flags, env === undefined ? description : `${description} [env ${env}]`);
  return parse === undefined
    ? option
    : option.argParser(parse as (text: string, previous: unknown) => unknown);
}

/** The `operator` command with its flags; `run` gets the finished configuration. */
export function operatorCommand(env: Environment, run: (config: Config) => Promise<void>): Command {
  const command = new Command('operator').description('run the SparseDM operator');
  for (const setting of Object.values(SETTINGS)) command.addOption(toOption(setting));
  return command.action(async (flags: Options) => {
    const config = toConfig({ ...fromEnvironment(command, SETTINGS, env), ...flags }, env);
    const problem = timingProblem(config.leaderElection.timing);
    if (problem !== undefined) command.error(`error: ${problem}`);
    await run(config);
  });
}

/** The settings of a gateway. */
export type GatewayConfig = Pick<
  Config,
  'namespaces' | 'reportsUrl' | 'logLevel' | 'kubeconfig' | 'context'
> & {
  ports: Readonly<Pick<Config['ports'], 'metrics' | 'health'>>;
  limits: Readonly<GatewaySettings>;
};

const { namespace, metricsPort, healthPort, reportsUrl, logLevel, kubeconfig, context } = SETTINGS;

const GATEWAY_SETTINGS = {
  ...{ namespace, metricsPort, healthPort, reportsUrl, logLevel, kubeconfig, context },
  hold: {
    flags: '--hold <duration>',
    env: 'SPARSEDM_HOLD',
    description: 'how long a request waits for a replica at most (default: 5m)',
    parse: duration,
  },
  maxHeld: {
    flags: '--max-held <count>',
    env: 'SPARSEDM_MAX_HELD',
    description: 'requests of one service that may wait for a replica; those beyond get 429 (default: 1000)',
    parse: integerBetween(1, 1_000_000),
  },
  maxConnections: {
    flags: '--max-connections <count>',
    env: 'SPARSEDM_MAX_CONNECTIONS',
    description: 'connections of all clients; those beyond are closed (default: 20000)',
    parse: integerBetween(1, 1_000_000),
  },
  drainDelay: {
    flags: '--drain-delay <duration>',
    env: 'SPARSEDM_DRAIN_DELAY',
    description: 'how long a gateway that ends still takes requests (default: 10s)',
    parse: duration,
  },
  grace: {
    flags: '--grace <duration>',
    env: 'SPARSEDM_GRACE',
    description: 'time for requests in progress after that (default: 5m)',
    parse: duration,
  },
} satisfies Record<string, Setting>;

type GatewayOptions = Pick<
  Options,
  'namespace' | 'metricsPort' | 'healthPort' | 'reportsUrl' | 'logLevel' | 'kubeconfig' | 'context'
> & { hold?: number; maxHeld?: number; maxConnections?: number; drainDelay?: number; grace?: number };

/** The `gateway` command with its flags; `run` gets the finished configuration. */
export function gatewayCommand(env: Environment, run: (config: GatewayConfig) => Promise<void>): Command {
  const command = new Command('gateway').description(
    'run a gateway, which holds requests for sleeping services',
  );
  for (const setting of Object.values(GATEWAY_SETTINGS)) command.addOption(toOption(setting));
  return command.action(async (flags: GatewayOptions) => {
    await run(toGatewayConfig({ ...fromEnvironment(command, GATEWAY_SETTINGS, env), ...flags }, env));
  });
}

function toGatewayConfig(options: GatewayOptions, env: Environment): GatewayConfig {
  const own = {
    hold: GATEWAY_DEFAULTS.holdMs,
    maxHeld: GATEWAY_DEFAULTS.heldRequests,
    maxConnections: GATEWAY_DEFAULTS.connections,
    drainDelay: GATEWAY_DEFAULTS.drainDelayMs,
    grace: GATEWAY_DEFAULTS.graceMs,
  };
  const all = { ...defaults(env), ...own, ...options };
  return Object.freeze({
    namespaces: Object.freeze(all.namespace),
    ports: Object.freeze({ metrics: all.metricsPort, health: all.healthPort }),
    reportsUrl: all.reportsUrl,
    logLevel: all.logLevel,
    kubeconfig: all.kubeconfig,
    context: all.context,
    limits: Object.freeze({
      ...GATEWAY_DEFAULTS,
      holdMs: all.hold,
      heldRequests: all.maxHeld,
      connections: all.maxConnections,
      drainDelayMs: all.drainDelay,
      graceMs: all.grace,
    }),
  });
}

function fromEnvironment(
  command: Command,
  settings: Readonly<Record<string, Setting>>,
  env: Environment,
): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const text = setting.env === undefined ? undefined : env[setting.env];
    if (text === undefined || text === '') continue;
    found[name] = parseVariable(command, setting, text);
  }
  return found;
}

function parseVariable(command: Command, setting: Setting, text: string): unknown {
  if (setting.parse === undefined) return text;
  try {
    return setting.parse(text, undefined as never);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    return command.error(`error: environment variable ${setting.env} is invalid: ${error.message}`);
  }
}

function defaults(env: Environment) {
  const namespace = env.POD_NAMESPACE ?? 'sparsedm-system';
  return {
    namespace: [],
    leaderElect: true,
    leaseName: 'sparsedm-operator',
    leaseNamespace: namespace,
    leaderElectLeaseDuration: 15_000,
    leaderElectRenewDeadline: 10_000,
    leaderElectRetryPeriod: 2_000,
    metricsPort: 8080,
    healthPort: 8081,
    reportsPort: 8082,
    reportsUrl: `http://sparsedm-operator.${namespace}.svc:8082`,
    trainerImage: 'sparsedm/trainer:0.1.0',
    serverImage: 'sparsedm/serving:0.1.0',
    imagePullSecrets: [],
    podSecurityContext: POD_DEFAULTS.securityContext,
    logLevel: 'info',
    concurrency: 8,
    keda: false,
    debugEndpoints: false,
  } satisfies Options;
}

function gatewayOf(options: Options): Config['gateway'] {
  const { gatewayAccount, gatewaySelector = 'app.kubernetes.io/component=gateway' } = options;
  if (gatewayAccount === undefined) return undefined;
  const [namespace = '', name = ''] = gatewayAccount.split('/');
  return Object.freeze({ namespace, name, selector: gatewaySelector });
}

function toConfig(options: Options, env: Environment): Config {
  const all = { ...defaults(env), ...options };
  const host = env.POD_NAME ?? env.HOSTNAME ?? 'sparsedm-operator';
  return Object.freeze({
    namespaces: Object.freeze(all.namespace),
    leaderElection: Object.freeze({
      enabled: all.leaderElect,
      leaseName: all.leaseName,
      leaseNamespace: all.leaseNamespace,
      identity: `${host}_${process.pid}`,
      timing: Object.freeze({
        leaseMs: all.leaderElectLeaseDuration,
        renewDeadlineMs: all.leaderElectRenewDeadline,
        retryMs: all.leaderElectRetryPeriod,
      }),
    }),
    ports: Object.freeze({ metrics: all.metricsPort, health: all.healthPort, reports: all.reportsPort }),
    reportsUrl: all.reportsUrl,
    gateway: gatewayOf(all),
    images: Object.freeze({ trainer: all.trainerImage, server: all.serverImage }),
    podDefaults: Object.freeze({
      imagePullSecrets: Object.freeze(all.imagePullSecrets),
      securityContext: Object.freeze(all.podSecurityContext),
    }),
    logLevel: all.logLevel,
    kubeconfig: all.kubeconfig,
    context: all.context,
    concurrency: all.concurrency,
    keda: all.keda,
    debugEndpoints: all.debugEndpoints,
  });
}
