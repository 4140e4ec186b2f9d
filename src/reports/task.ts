import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Task } from '../runtime/manager';
import type { Logger } from '../runtime/telemetry/logger';
import type { Mailbox } from './mailbox';

/** Time for requests in progress on a graceful stop. */
const STOP_MS = 5_000;

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, resolve);
  });
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const impatient = setTimeout(() => server.closeAllConnections(), STOP_MS);
  await closed;
  clearTimeout(impatient);
}

/** Runs the report endpoint beside the controllers, on every replica; waiting reports are written before it ends. */
export function reportTask(options: {
  server: Server;
  port: number;
  mailboxes: readonly Mailbox[];
  logger: Logger;
  onListening?: (port: number) => void;
}): Task {
  const { server, port, mailboxes, logger } = options;
  return {
    name: 'reports',
    async run(signal) {
      await listen(server, port);
      const bound = (server.address() as AddressInfo).port;
      logger.info('report endpoint is listening', { port: bound });
      options.onListening?.(bound);
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await close(server);
      await Promise.all(mailboxes.map((mailbox) => mailbox.flush()));
    },
  };
}
