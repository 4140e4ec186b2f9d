/** `npm run cluster -- COMMAND`: the embedded Kubernetes cluster. */
import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { ensureBinaries } from './binaries';
import { clusterDown } from './down';
import { loadArchiveFile, loadFromBuildah } from './load';
import { kubeconfigPath } from './paths';
import { selftest } from './selftest';
import { clusterStatus, residentMiB, statusTable } from './status';
import { clusterUp } from './up';
import { ClusterError } from './wait';

const report = (line: string) => console.error(line);

function count(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('a whole number is needed');
  return Number(text);
}

const program = new Command('cluster').description(
  'an embedded Kubernetes cluster, one per machine, without Docker',
);

program
  .command('up')
  .description('start the cluster, or what is missing of it, and wait until it is ready')
  .option('--gpus <number>', 'offer this number of fake nvidia.com/gpu', count)
  .action(async ({ gpus }: { gpus?: number }) => {
    const { kubeconfig, binaries } = await clusterUp({ gpus, report });
    console.log(`export KUBECONFIG=${kubeconfig}`);
    console.log(`alias kubectl='${binaries.k8s} kubectl' helm='${binaries.helm}'`);
  });

program
  .command('down')
  .description('end the cluster and take back all it put on this machine; loaded images stay in the cache')
  .option('--purge', 'remove the loaded images too', false)
  .action(({ purge }: { purge: boolean }) => clusterDown({ purge, report }));

program
  .command('status')
  .description('the health of each component; exit code 1 when one is not healthy')
  .action(async () => {
    const parts = await clusterStatus();
    console.log(statusTable(parts, residentMiB));
    if (parts.some(({ state }) => state !== 'healthy')) process.exitCode = 1;
  });

program
  .command('kubeconfig')
  .description("print the path of the administrator's kubeconfig")
  .action(() => {
    const file = kubeconfigPath();
    if (!existsSync(file))
      throw new ClusterError('the cluster is not up: start it with "npm run cluster -- up".');
    console.log(file);
  });

program
  .command('build')
  .description('build Kubernetes, Helm and kwok, and print where they are')
  .action(async () => {
    for (const [name, file] of Object.entries(await ensureBinaries({ report })))
      console.log(`${name}\t${file}`);
  });

program
  .command('load')
  .argument('<image or archive>', "the name of an image in buildah's store, or an archive file")
  .description('load an image into the cluster')
  .action(async (what: string) => {
    if (existsSync(what)) {
      for (const name of await loadArchiveFile(what, { report })) console.log(`loaded ${name}`);
    } else {
      console.log(`${await loadFromBuildah(what, { report })} ${what}`);
    }
  });

program
  .command('selftest')
  .description(
    'take the cluster down and up, kill it, and check that nothing is left: ends with the cluster up',
  )
  .action(() => selftest(report));

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof ClusterError)) throw error;
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
