import type { Writable } from 'node:stream';
import { createLogger as createWinston, format, transports, type Logger as Winston } from 'winston';
import { ApiError, TransportError } from '../errors';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type Metadata = Record<string, unknown>;

/** Logs a static message with metadata; secrets are removed from the metadata's values. */
export type Logger = {
  debug(message: string, metadata?: Metadata): void;
  info(message: string, metadata?: Metadata): void;
  warn(message: string, metadata?: Metadata): void;
  error(message: string, metadata?: Metadata): void;
  child(metadata: Metadata): Logger;
};

const secretKey = /authorization|password|passwd|secret|token$|^token|credential|private.?key/i;
const deepest = 6;

/** Hides bearer tokens and the user part of URLs anywhere in a text. */
export function redactText(text: string): string {
  return text
    .replace(/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, '$1 [redacted]')
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@:]*:[^\s/@]*@/gi, '$1[redacted]@')
    .replace(
      /([?&][^=&\s]*(?:token|signature|secret|password|credential)[^=&\s]*=)[^&\s"']+/gi,
      '$1[redacted]',
    );
}

/** A copy for the log: secrets hidden, errors with their causes, depth limited. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (value === null || typeof value !== 'object') return value;
  if (depth >= deepest) return '[deep]';
  if (value instanceof Error) return describeError(value, depth);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      secretKey.test(key) && typeof item !== 'object' ? '[redacted]' : redact(item, depth + 1),
    ]),
  );
}

/** The stack of an expected error is noise; that of an unexpected one is needed. */
function isExpected(error: Error): boolean {
  return error instanceof ApiError || error instanceof TransportError;
}

function describeError(error: Error, depth: number): Metadata {
  return {
    name: error.name,
    message: redactText(error.message),
    ...(error instanceof ApiError ? { status: error.status, reason: error.reason } : {}),
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    ...(isExpected(error) || error.stack === undefined ? {} : { stack: redactText(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1) }),
  };
}

function wrap(winston: Winston, bound: Metadata): Logger {
  const log = (level: LogLevel) => (message: string, metadata?: Metadata) => {
    if (!winston.isLevelEnabled(level)) return;
    winston.log({ level, message, ...(redact({ ...bound, ...metadata }) as Metadata) });
  };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    child: (metadata) => wrap(winston, { ...bound, ...metadata }),
  };
}

/** One JSON object a line, on standard output unless a stream is given. */
export function createLogger(options: { level: LogLevel; stream?: Writable }): Logger {
  const transport =
    options.stream === undefined
      ? new transports.Console()
      : new transports.Stream({ stream: options.stream });
  const winston = createWinston({
    level: options.level,
    format: format.combine(format.timestamp(), format.json()),
    transports: [transport],
  });
  return wrap(winston, {});
}
