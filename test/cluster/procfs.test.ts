import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import {
  environmentOf,
  identify,
  isRunning,
  ownerOfSocket,
  parseHexAddress,
  parseMounts,
  parseStat,
  parseTcpListeners,
  tcpListeners,
} from './procfs';

describe('parseStat', () => {
  it('finds the start time behind a name with blanks and parentheses', () => {
    const text = `7 (a) b (c)) S ${Array.from({ length: 18 }, (_, index) => index + 1).join(' ')} 4711 0 0\n`;
    expect(parseStat(text)).toEqual({ state: 'S', startTicks: '4711' });
  });
});

describe('identify', () => {
  it('tells a process from a later one with its number', () => {
    const self = identify(process.pid);
    expect(self && isRunning(self)).toBe(true);
    expect(isRunning({ pid: process.pid, startTicks: '1' })).toBe(false);
  });

  it('knows the environment a process was started with', async () => {
    const child = spawn('cat', { env: { MARK: 'a=b' }, stdio: ['pipe', 'ignore', 'ignore'] });
    await once(child, 'spawn');
    expect(environmentOf(child.pid!).get('MARK')).toBe('a=b');
    child.stdin.end();
    await once(child, 'close');
    expect(identify(child.pid!)).toBeUndefined();
  });
});

describe('TCP listeners', () => {
  it.each([
    ['0100007F', '127.0.0.1'],
    ['0100F40A', '10.244.0.1'],
    ['00000000000000000000000000000000', '::'],
  ])('reads the address %s as %s', (hex, want) => {
    expect(parseHexAddress(hex)).toBe(want);
  });

  it('leaves out connections', () => {
    const table = `  sl  local_address rem_address   st tx rx tr tm retr uid timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4242 1
   1: 0100007F:1F90 0100007F:AAAA 01 00000000:00000000 00:00000000 00000000 0 0 4243 1
`;
    expect(parseTcpListeners(table)).toEqual([{ address: '127.0.0.1', port: 8080, inode: '4242' }]);
  });

  it('finds the process behind a port', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const listener = tcpListeners().find((one) => one.port === port);
    expect(ownerOfSocket(listener!.inode)).toBe(process.pid);
    server.close();
  });
});

describe('parseMounts', () => {
  it('undoes the escapes of blanks', () => {
    expect(parseMounts('tmpfs /a\\040b tmpfs rw,nosuid 0 0\n')).toEqual([
      { point: '/a b', type: 'tmpfs', options: 'rw,nosuid' },
    ]);
  });
});
