import { BlockList, isIP } from 'node:net';

type Environment = Readonly<Record<string, string | undefined>>;

function read(env: Environment, name: string): string {
  return env[name] || env[name.toLowerCase()] || '';
}

/**
 * The proxy for a server according to HTTPS_PROXY, HTTP_PROXY and NO_PROXY, in either case, as Go's clients (kubectl,
 * controllers) read them; undefined when there is none.
 */
export function proxyFromEnvironment(server: URL, env: Environment): string | undefined {
  const proxy = read(env, server.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  if (proxy === '' || isExempt(server, read(env, 'NO_PROXY'))) return undefined;
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}

function isExempt(server: URL, exemptions: string): boolean {
  const host = server.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = server.port || (server.protocol === 'https:' ? '443' : '80');
  if (isLoopback(host)) return true;
  return exemptions
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== '')
    .some((entry) => covers(entry, host, port));
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function covers(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isInNetwork(entry, host);
  const [, name = entry, wantedPort] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
  if (wantedPort !== undefined && wantedPort !== port) return false;
  return isName(name.replace(/^\[|\]$/g, ''), host);
}

/** `example.org` covers itself and its subdomains, `.example.org` and `*.example.org` only the subdomains. */
function isName(name: string, host: string): boolean {
  if (isIP(host) !== 0) return name === host;
  const suffix = name.replace(/^\*(?=\.)/, '');
  return host.endsWith(suffix.startsWith('.') ? suffix : `.${suffix}`) || host === suffix;
}

/** Whether an address is in a network such as 10.96.0.0/12; false for names, and for anything but a network. */
function isInNetwork(network: string, host: string): boolean {
  const [address = '', bits = ''] = network.split('/');
  const family = isIP(address);
  if (
    family === 0 ||
    family !== isIP(host) ||
    !/^\d+$/.test(bits) ||
    Number(bits) > (family === 4 ? 32 : 128)
  ) {
    return false;
  }
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(address, Number(bits), type);
  return list.check(host, type);
}
