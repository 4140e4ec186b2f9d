import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { KubeConfig, type User } from '@kubernetes/client-node';
import { parse } from 'yaml';

type UserEntry = { name?: string; user?: { tokenFile?: string } | null };
type Content = { users?: UserEntry[] | null } | null;
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The kubeconfig given, else what $KUBECONFIG names, else the user's own, else the pod's service account.
 *
 * Several files become one as for kubectl: the first that names a current context, and the first that has a context, a
 * cluster or a user of a name, counts, as a whole; a file that does not exist is passed over. client-node lets the last
 * current context win, and refuses names that occur twice.
 */
export function loadKubeConfig(given: string | undefined, env: Environment): KubeConfig {
  if (given !== undefined) return merge([given]);
  const listed = (env.KUBECONFIG ?? '').split(path.delimiter).filter((file) => file !== '');
  if (listed.length > 0) {
    const files = listed.filter((file) => existsSync(file));
    if (files.length === 0) throw new Error(`KUBECONFIG names no file that exists: ${listed.join(', ')}`);
    return merge(files);
  }
  const own = path.join(env.HOME ?? homedir(), '.kube', 'config');
  if (existsSync(own)) return merge([own]);
  // As client-go knows a pod: by the variables that the kubelet sets in each.
  if (!env.KUBERNETES_SERVICE_HOST || !env.KUBERNETES_SERVICE_PORT) {
    throw new Error(
      `there is no kubeconfig: give --kubeconfig or KUBECONFIG, or write ${own}; nor is this a pod with a service account`,
    );
  }
  const config = new KubeConfig();
  config.loadFromCluster();
  return config;
}

function merge(files: readonly string[]): KubeConfig {
  const configs = files.map(readConfig);
  const merged = new KubeConfig();
  merged.loadFromOptions({
    clusters: firstOfEach(configs.flatMap(({ clusters }) => clusters)),
    users: firstOfEach(configs.flatMap(({ users }) => users)),
    contexts: firstOfEach(configs.flatMap(({ contexts }) => contexts)),
    currentContext: configs.map(({ currentContext }) => currentContext).find(Boolean),
  });
  return merged;
}

function firstOfEach<T extends { name: string }>(entries: readonly T[]): T[] {
  return entries.filter(({ name }, index) => entries.findIndex((each) => each.name === name) === index);
}

function readConfig(file: string): KubeConfig {
  const config = new KubeConfig();
  const content = parse(readFileSync(file, 'utf8')) as Content;
  if (content === null) return config; // an empty file
  config.loadFromFile(file);
  const folder = path.dirname(file);
  config.users = config.users.map((user) => {
    const entry = content.users?.find(({ name }) => name === user.name);
    return withTokenFile(withPlugin(user, folder), entry?.user?.tokenFile, folder);
  });
  return config;
}

/** A plugin with a path is resolved from the kubeconfig's folder, like its other files; one without a path by $PATH. */
function withPlugin(user: User, folder: string): User {
  const plugin = user.exec as { command?: string } | null | undefined;
  if (!plugin?.command?.includes(path.sep)) return user;
  return { ...user, exec: { ...plugin, command: path.resolve(folder, plugin.command) } };
}

/**
 * client-node drops a user's tokenFile and would send anonymous requests. The file is treated like the pod's own token:
 * read again every minute, and preferred to a token beside it, as in client-go.
 */
function withTokenFile(user: User, tokenFile: string | undefined, folder: string): User {
  if (tokenFile === undefined) return user;
  const { token: _, ...rest } = user;
  const config = { tokenFile: path.resolve(folder, tokenFile) };
  return { ...rest, authProvider: { name: 'tokenFile', config } };
}
