/** Which cluster a command works on, and how to reach it: the embedded one, kind, or one the user names. */
import path from 'node:path';
import { exec, succeeds, type ExecOptions } from '../test/cluster/exec';
import { clusterUp, ensureBinaries, kubeconfigPath } from '../test/cluster/index';
import { ClusterError } from '../test/cluster/wait';

export type TargetKind = 'embedded' | 'kind' | 'context';

export type TargetChoice = {
  /** Context of the user's kubeconfig; absent means the embedded cluster (or kind). */
  context?: string | undefined;
  kind?: boolean | undefined;
  /** Where the images are pushed for `context`, e.g. ghcr.io/me; the cluster must be able to pull from there. */
  registry?: string | undefined;
};

export type Target = {
  type: TargetKind;
  /** One line for people: which cluster this is. */
  description: string;
  env: NodeJS.ProcessEnv;
  /** What a person types to use the same cluster, or '' where it already is their current one. */
  exportLine: string;
  kubectl(args: readonly string[], options?: ExecOptions): Promise<string>;
  helm(args: readonly string[], options?: ExecOptions): Promise<string>;
  /** Command and leading arguments of kubectl, for long-lived processes such as port-forward. */
  kubectlCommand: readonly [string, ...string[]];
};

export const kindCluster = 'sparsedm';

/** What is wrong with a choice in itself, as a sentence. */
export function choiceProblem({ context, kind, registry }: TargetChoice): string | undefined {
  if (context !== undefined && kind) {
    return '--context and --kind exclude each other: --kind makes and uses a cluster of its own.';
  }
  if (registry !== undefined && context === undefined) {
    return '--registry needs --context NAME: the other clusters get the images without a registry.';
  }
  if (context !== undefined && registry === undefined && !context.startsWith('kind-')) {
    return `--context ${context} needs --registry HOST/PATH, which you can push to and the cluster can pull from.`;
  }
  return undefined;
}

/** Refuses an impossible choice before anything slow starts. */
export async function checkChoice(choice: TargetChoice): Promise<void> {
  const problem = choiceProblem(choice);
  if (problem !== undefined) throw new ClusterError(problem);
  if (choice.context === undefined && !choice.kind) return;
  if (!(await succeeds('docker', ['info']))) {
    throw new ClusterError(
      'No Docker engine answers (docker info): start Docker, or leave out --context and --kind.',
    );
  }
  if (choice.kind && !(await succeeds('kind', ['version']))) {
    throw new ClusterError(
      'kind is not on the PATH: install it (https://kind.sigs.k8s.io), or leave out --kind.',
    );
  }
}

/** Prefers the user's own tool and falls back to the one built beside the embedded cluster. */
async function tools(): Promise<{ kubectl: [string, ...string[]]; helm: string }> {
  const [kubectl, helm] = await Promise.all([
    succeeds('kubectl', ['version', '--client']),
    succeeds('helm', ['version']),
  ]);
  if (kubectl && helm) return { kubectl: ['kubectl'], helm: 'helm' };
  const built = await ensureBinaries();
  return { kubectl: kubectl ? ['kubectl'] : [built.k8s, 'kubectl'], helm: helm ? 'helm' : built.helm };
}

function makeTarget(
  type: TargetKind,
  description: string,
  kubectl: [string, ...string[]],
  helm: string,
  access: { kubeconfig?: string; context?: string },
): Target {
  const env = { ...process.env, ...(access.kubeconfig ? { KUBECONFIG: access.kubeconfig } : {}) };
  const kubectlCommand: [string, ...string[]] = access.context
    ? [...kubectl, '--context', access.context]
    : kubectl;
  const helmContext = access.context ? ['--kube-context', access.context] : [];
  const [command, ...leading] = kubectlCommand;
  return {
    type,
    description,
    env,
    exportLine: access.kubeconfig ? `export KUBECONFIG=${access.kubeconfig}` : '',
    kubectlCommand,
    kubectl: (args, options) => exec(command, [...leading, ...args], { env, ...options }),
    helm: (args, options) => exec(helm, [...helmContext, ...args], { env, ...options }),
  };
}

/** Brings the chosen cluster up where that is ours to do, and says which it is. */
export async function openTarget(choice: TargetChoice, report: (line: string) => void): Promise<Target> {
  if (choice.context !== undefined) {
    const { kubectl, helm } = await tools();
    return makeTarget('context', `context ${choice.context} of your kubeconfig`, kubectl, helm, {
      context: choice.context,
    });
  }
  if (choice.kind) {
    const clusters = await exec('kind', ['get', 'clusters']);
    if (!clusters.split('\n').includes(kindCluster)) {
      await exec('kind', ['create', 'cluster', '--name', kindCluster, '--wait', '120s'], {
        onErrorLine: report,
      });
    }
    const { kubectl, helm } = await tools();
    return makeTarget('kind', `kind cluster ${kindCluster}`, kubectl, helm, {
      context: `kind-${kindCluster}`,
    });
  }
  const built = await ensureBinaries();
  await clusterUp({ report });
  const kubeconfig = kubeconfigPath();
  return makeTarget(
    'embedded',
    `the embedded cluster (kubeconfig ${path.relative(process.cwd(), kubeconfig).startsWith('..') ? kubeconfig : path.relative(process.cwd(), kubeconfig)})`,
    [built.k8s, 'kubectl'],
    built.helm,
    { kubeconfig },
  );
}
