import { hostname } from 'node:os';
import { Command } from 'commander';
import { version } from '../package.json';
import { gatewayCommand, operatorCommand, type Config, type GatewayConfig } from './config';
import { TOKEN_FILE } from './reports/demand';
import { createGateway } from './gateway/gateway';
import { httpPost } from './gateway/reporter';
import { createOperator } from './operator';
import { realClock } from './runtime/clock';
import { LeadershipLostError } from './runtime/errors';
import { loadConnection } from './runtime/http/credentials';
import { serveHealth, serveMetrics, type Served } from './runtime/http/endpoints';
import { createTransport } from './runtime/http/transport';
import { createLogger, type Logger } from './runtime/telemetry/logger';
import { createMetrics } from './runtime/telemetry/metrics';
import { startTracing } from './tracing';

/** Aborts at the first SIGTERM or SIGINT; a second one ends the process at once. */
function stopSignal(logger: Logger): AbortSignal {
  const stopping = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (stopping.signal.aborted) process.exit(1);
      logger.info('stopping', { signal: name });
      stopping.abort();
    });
  }
  return stopping.signal;
}

/**
 * A log that can't be written (its reader has gone, the disk is full) must not end the process: without a listener the
 * first failed line would end it with the lease held.
 */
function surviveLostOutput(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}

/** First part of the dump at /debug. */
function describeProcess() {
  return {
    version,
    node: process.version,
    uptimeSeconds: process.uptime(),
    memoryBytes: process.memoryUsage(),
  };
}

async function runOperator(config: Config): Promise<void> {
  const logger = createLogger({ level: config.logLevel });
  const signal = stopSignal(logger);
  const metrics = createMetrics();
  metrics.collectProcess();
  const tracing = await startTracing({
    env: process.env,
    clock: realClock,
    logger,
    name: 'sparsedm-operator',
    version,
    instance: config.leaderElection.identity,
  });
  const transport = createTransport({
    connection: loadConnection({ kubeconfig: config.kubeconfig, context: config.context }),
    clock: realClock,
    metrics,
    tracing,
    userAgent: `sparsedm-operator/${version}`,
  });
  const operator = createOperator({ config, transport, clock: realClock, logger, metrics, tracing });
  const served: Served[] = [];
  logger.info('starting', { version, namespaces: config.namespaces, images: config.images });
  try {
    const { health: port } = config.ports;
    const debug = config.debugEndpoints ? () => ({ ...describeProcess(), ...operator.state() }) : undefined;
    served.push(await serveHealth({ port, readiness: operator.readiness, debug }));
    served.push(await serveMetrics({ port: config.ports.metrics, registry: metrics.registry }));
    await operator.run(signal);
  } catch (error) {
    const lost = error instanceof LeadershipLostError;
    logger.error(lost ? 'the lease is lost' : 'the operator failed', { error });
    // A process that has lost the lease must stop writing at once: nothing is drained.
    if (lost) process.exit(1);
    process.exitCode = 1;
  } finally {
    await Promise.all(served.map((each) => each.close()));
    await transport.close();
    await tracing.shutdown();
  }
  logger.info('stopped');
}

async function runGateway(config: GatewayConfig): Promise<void> {
  const logger = createLogger({ level: config.logLevel });
  const signal = stopSignal(logger);
  const metrics = createMetrics();
  metrics.collectProcess();
  const tracing = await startTracing({
    ...{ env: process.env, clock: realClock, logger },
    ...{ name: 'sparsedm-gateway', version, instance: hostname() },
  });
  const transport = createTransport({
    connection: loadConnection({ kubeconfig: config.kubeconfig, context: config.context }),
    clock: realClock,
    metrics,
    userAgent: `sparsedm-gateway/${version}`,
  });
  const { namespaces, limits: settings, ports, reportsUrl } = config;
  const post = httpPost(reportsUrl, TOKEN_FILE);
  const gateway = createGateway({
    ...{ settings, namespaces, transport, clock: realClock, logger, metrics, tracing, post },
  });
  const served: Served[] = [];
  logger.info('starting', { version, namespaces });
  try {
    served.push(await serveHealth({ port: ports.health, readiness: () => gateway.readiness() }));
    served.push(await serveMetrics({ port: ports.metrics, registry: metrics.registry }));
    await gateway.run(signal);
  } catch (error) {
    logger.error('the gateway failed', { error });
    process.exitCode = 1;
  } finally {
    await Promise.all(served.map((each) => each.close()));
    await transport.close();
    await tracing.shutdown();
  }
  logger.info('stopped');
}

surviveLostOutput();

const program = new Command('sparsedm-operator')
  .description('Fine-tunes diffusion models to N:M sparsity and serves them, on Kubernetes')
  .version(version)
  .addCommand(operatorCommand(process.env, runOperator))
  .addCommand(gatewayCommand(process.env, runGateway));

try {
  await program.parseAsync();
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
