import { describe, expect, it } from 'vitest';
import { gatewayCommand, operatorCommand, type Config, type GatewayConfig } from './config';
import { GATEWAY_DEFAULTS } from './gateway/settings';

async function parse(argv: string[], env: Record<string, string> = {}): Promise<Config> {
  let result: Config | undefined;
  const command = operatorCommand(env, (config) => {
    result = config;
    return Promise.resolve();
  });
  command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  await command.parseAsync(argv, { from: 'user' });
  if (result === undefined) throw new Error('the command did not run');
  return result;
}

describe('operator configuration', () => {
  it('has a default for everything', async () => {
    const config = await parse([]);
    expect(config.namespaces).toEqual([]);
    expect(config.ports).toEqual({ metrics: 8080, health: 8081, reports: 8082 });
    expect(config.leaderElection).toMatchObject({
      enabled: true,
      leaseName: 'sparsedm-operator',
      leaseNamespace: 'sparsedm-system',
      timing: { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 },
    });
    expect(config.reportsUrl).toBe('http://sparsedm-operator.sparsedm-system.svc:8082');
    expect(config.images).toEqual({ trainer: 'sparsedm/trainer:0.1.0', server: 'sparsedm/serving:0.1.0' });
    expect(config.podDefaults).toEqual({
      imagePullSecrets: [],
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 10001,
        runAsGroup: 10001,
        fsGroup: 10001,
        fsGroupChangePolicy: 'OnRootMismatch',
        seccompProfile: { type: 'RuntimeDefault' },
      },
    });
    expect(config.logLevel).toBe('info');
    expect(config.concurrency).toBe(8);
    expect(config.debugEndpoints).toBe(false);
    expect(Object.isFrozen(config)).toBe(true);
  });

  it('reads flags', async () => {
    const config = await parse(
      '--namespace a,b --namespace c --leader-elect=false --metrics-port 0 --reports-url http://x:1/ --log-level debug'.split(
        ' ',
      ),
    );
    expect(config.namespaces).toEqual(['a', 'b', 'c']);
    expect(config.leaderElection.enabled).toBe(false);
    expect(config.ports.metrics).toBe(0);
    expect(config.reportsUrl).toBe('http://x:1');
    expect(config.logLevel).toBe('debug');
  });

  it('reads the timing of the lease as Go writes durations', async () => {
    const argv =
      '--leader-elect-lease-duration 1m30s --leader-elect-renew-deadline 1.5s --leader-elect-retry-period 200ms';
    const { timing } = (await parse(argv.split(' '))).leaderElection;
    expect(timing).toEqual({ leaseMs: 90_000, renewDeadlineMs: 1500, retryMs: 200 });
  });

  it('reads what every pod gets', async () => {
    const argv = ['--image-pull-secrets', 'a,b', '--image-pull-secrets=b'];
    const { podDefaults } = await parse([...argv, '--pod-security-context', '{"runAsNonRoot":true}']);
    expect(podDefaults).toEqual({ imagePullSecrets: ['a', 'b'], securityContext: { runAsNonRoot: true } });
  });

  it('takes a bare --leader-elect or --debug-endpoints as true', async () => {
    expect((await parse(['--leader-elect'])).leaderElection.enabled).toBe(true);
    expect((await parse(['--debug-endpoints'])).debugEndpoints).toBe(true);
  });

  it('reads the environment, and a flag wins over it', async () => {
    const env = {
      SPARSEDM_TRAINER_IMAGE: 'env/trainer:1',
      SPARSEDM_SERVER_IMAGE: 'env/server:1',
      SPARSEDM_NAMESPACES: 'x, y',
    };
    const config = await parse(['--trainer-image', 'flag/trainer:2'], env);
    expect(config.images).toEqual({ trainer: 'flag/trainer:2', server: 'env/server:1' });
    expect(config.namespaces).toEqual(['x', 'y']);
  });

  it('derives lease and report URL from the namespace of its own pod', async () => {
    const config = await parse([], { POD_NAMESPACE: 'ml', POD_NAME: 'op-1' });
    expect(config.leaderElection.leaseNamespace).toBe('ml');
    expect(config.leaderElection.identity).toMatch(/^op-1_\d+$/);
    expect(config.reportsUrl).toBe('http://sparsedm-operator.ml.svc:8082');
  });

  it.each([
    [['--metrics-port', '70000'], {}, 'Write a whole number from 0 to 65535'],
    [['--concurrency', '0'], {}, 'Write a whole number from 1 to 256'],
    [['--log-level', 'loud'], {}, 'Write one of error, warn, info, debug'],
    [['--namespace', 'Not_OK'], {}, `"Not_OK" can't be the name of a namespace`],
    [['--reports-url', 'ftp://x'], {}, 'Write an http or https URL'],
    [['--leader-elect=maybe'], {}, 'Write true or false'],
    [[], { SPARSEDM_HEALTH_PORT: 'x' }, 'environment variable SPARSEDM_HEALTH_PORT is invalid'],
    [['--leader-elect-retry-period', '2'], {}, 'Write a duration such as 15s'],
    [['--leader-elect-retry-period', '0s'], {}, 'Write a duration such as 15s'],
    [['--leader-elect-retry-period', '2s1'], {}, 'Write a duration such as 15s'],
    [['--leader-elect-lease-duration', '15500ms'], {}, 'must be whole seconds'],
    [['--leader-elect-lease-duration', '10s'], {}, 'renew deadline must be shorter than the lease duration'],
    [['--leader-elect-retry-period=10s'], {}, 'retry period must be shorter than the renew deadline'],
    [[], { SPARSEDM_LEADER_ELECT_RENEW_DEADLINE: '20s' }, 'renew deadline must be shorter'],
    [['--image-pull-secrets', 'a,,b'], {}, `"" can't be the name of a Secret`],
    [['--image-pull-secrets', 'My_Secret'], {}, `"My_Secret" can't be the name of a Secret`],
    [['--pod-security-context', '[]'], {}, 'Write a JSON object'],
    [['--pod-security-context', 'runAsUser: 5'], {}, 'Write a JSON object'],
    [['--unknown'], {}, 'unknown option'],
  ])('refuses %j with %j by a sentence', async (argv, env, want) => {
    await expect(parse(argv, env)).rejects.toThrow(want);
  });
});

describe('gateway configuration', () => {
  async function parseGateway(argv: string[], env: Record<string, string> = {}): Promise<GatewayConfig> {
    let result: GatewayConfig | undefined;
    const command = gatewayCommand(env, (config) => {
      result = config;
      return Promise.resolve();
    });
    command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
    await command.parseAsync(argv, { from: 'user' });
    if (result === undefined) throw new Error('the command did not run');
    return result;
  }

  it('has a default for everything', async () => {
    const config = await parseGateway([]);
    expect(config.limits).toEqual(GATEWAY_DEFAULTS);
    expect(config.ports).toEqual({ metrics: 8080, health: 8081 });
  });

  it('reads its limits from flags, and from the environment where there is none', async () => {
    const argv = '--hold 90s --max-held 20 --max-connections 30 --drain-delay 2s';
    const { limits } = await parseGateway(argv.split(' '), { SPARSEDM_GRACE: '1m', SPARSEDM_HOLD: '5s' });
    expect(limits).toEqual({
      ...GATEWAY_DEFAULTS,
      holdMs: 90_000,
      heldRequests: 20,
      connections: 30,
      drainDelayMs: 2_000,
      graceMs: 60_000,
    });
  });

  it.each([
    ['--max-held', '0'],
    ['--max-connections', 'many'],
    ['--hold', '-1s'],
  ])('refuses %s %s', async (flag, value) => {
    await expect(parseGateway([`${flag}=${value}`])).rejects.toThrow(flag);
  });
});
