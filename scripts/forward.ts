import { spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';

export type KubectlCommand = readonly [string, ...string[]];

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Keeps `kubectl port-forward` open while `use` runs, which gets the local URL.
 * `to` is what kubectl forwards to (svc/NAME, pod/NAME), `remotePort` its port. Throws kubectl's own words.
 */
export async function withForward<T>(
  kubectl: { command: KubectlCommand; env?: NodeJS.ProcessEnv },
  namespace: string,
  to: string,
  remotePort: number,
  use: (url: string) => Promise<T>,
): Promise<T> {
  const [command, ...leading] = kubectl.command;
  const port = await freePort();
  const forward = spawn(command, [...leading, '-n', namespace, 'port-forward', to, `${port}:${remotePort}`], {
    env: kubectl.env ?? process.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  try {
    await new Promise<void>((resolve, reject) => {
      let errors = '';
      forward.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
      forward.stdout.on('data', (chunk: Buffer) => chunk.toString().includes('Forwarding from') && resolve());
      forward.on('error', reject);
      forward.on('exit', () => reject(new Error(`kubectl port-forward ended: ${errors.trim()}`)));
    });
    return await use(`http://127.0.0.1:${port}`);
  } finally {
    forward.kill();
  }
}
