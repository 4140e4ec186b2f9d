/** The cluster that a chaos run breaks: its own etcd, API server and Job controller, and the operator's bundle. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startControlPlane, type ControlPlane, type Report } from '../cluster/index';
import { connectApiServer, type ApiServer } from '../integration/api-server';
import { installDefinitions } from '../integration/setup';
import { buildProgram } from './process';

export type World = {
  plane: ControlPlane;
  /** As administrator, under the user agent `chaos`. */
  server: ApiServer;
  /** The operator's bundle. */
  program: string;
  /** For kubeconfigs and tokens. */
  folder: string;
  close(): Promise<void>;
};

export async function openWorld(report: Report = () => undefined): Promise<World> {
  const [plane, program] = await Promise.all([
    startControlPlane({ controllerManager: true, report }),
    buildProgram(),
  ]);
  const folder = await mkdtemp(path.join(tmpdir(), 'sparsedm-chaos-world-'));
  const server = await connectApiServer({ kubeconfig: plane.kubeconfig, userAgent: 'chaos' });
  const close = async () => {
    await server.close();
    await plane.stop();
    await program.remove();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await installDefinitions(server.transport);
  } catch (error) {
    await close();
    throw error;
  }
  return { plane, server, program: program.file, folder, close };
}
