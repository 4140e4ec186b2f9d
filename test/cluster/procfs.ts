/** What the kernel says of processes and sockets. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export type ProcessIdentity = {
  pid: number;
  /** Clock ticks between boot and the process's start. */ startTicks: string;
};

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function readNames(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

export type ProcessStat = { state: string; startTicks: string };

/** Reads /proc/PID/stat. The name in parentheses may itself hold spaces and parentheses. */
export function parseStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTicks: fields[19] ?? '' };
}

export function identify(pid: number): ProcessIdentity | undefined {
  const text = readText(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const { state, startTicks } = parseStat(text);
  return state === 'Z' || state === 'X' ? undefined : { pid, startTicks };
}

/** False too when another process has the number now. */
export function isRunning({ pid, startTicks }: ProcessIdentity): boolean {
  return identify(pid)?.startTicks === startTicks;
}

export function allPids(): number[] {
  return readNames('/proc').map(Number).filter(Number.isInteger);
}

/** The variables a process was started with, or nothing where we may not look. */
export function environmentOf(pid: number): Map<string, string> {
  const pairs = (readText(`/proc/${pid}/environ`) ?? '').split('\0').filter((pair) => pair.includes('='));
  return new Map(
    pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)] as const),
  );
}

export function commandOf(pid: number): string {
  return (readText(`/proc/${pid}/cmdline`) ?? '').split('\0').join(' ').trim();
}

/** The kernel marks a program whose file was removed while it ran. */
export function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
  } catch {
    return '';
  }
}

export type TcpListener = { address: string; port: number; inode: string };

const listening = '0A';

/** 0100007F -> 127.0.0.1: the kernel prints an IPv4 address as a little-endian number. */
export function parseHexAddress(hex: string): string {
  if (hex.length !== 8) return '::';
  return [6, 4, 2, 0].map((at) => parseInt(hex.slice(at, at + 2), 16)).join('.');
}

export function parseTcpListeners(table: string): TcpListener[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === listening)
    .map((fields) => {
      const [address = '', port = ''] = (fields[1] ?? '').split(':');
      return { address: parseHexAddress(address), port: parseInt(port, 16), inode: fields[9] ?? '' };
    });
}

export function tcpListeners(): TcpListener[] {
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => parseTcpListeners(readText(file) ?? ''));
}

/** Which process holds a socket; undefined when none does that we may see. */
export function ownerOfSocket(inode: string): number | undefined {
  const link = `socket:[${inode}]`;
  return allPids().find((pid) =>
    readNames(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === link;
      } catch {
        return false;
      }
    }),
  );
}

export type Mount = { point: string; type: string; options: string };

/** Mount points in /proc/mounts write blanks as \040. */
export function parseMounts(text: string): Mount[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [, point = '', type = '', options = ''] = line.split(' ');
      return {
        point: point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))),
        type,
        options,
      };
    });
}

export function mounts(): Mount[] {
  return parseMounts(readText('/proc/mounts') ?? '');
}
