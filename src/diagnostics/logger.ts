/** A logger of the application, whichever it is: pino and its kin take the fields first, winston and `console` the message. */
import { invalidOption } from '../common/option-reader.js';

/** How urgent a line is. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** The logger of an application: pino, winston, `console`, or anything with these four methods. */
export type Logger = {
  // biome-ignore lint/suspicious/noExplicitAny: loggers differ in what they take; both orders are known here.
  readonly [level in LogLevel]: (...args: any[]) => unknown;
};

/** What a line says besides its message. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes one line. */
export type WriteLog = (level: LogLevel, message: string, fields: LogFields) => void;

const LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

/**
 * How to write lines with `logger`. A logger that throws or rejects harms nobody.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` naming what it lacks.
 */
export function logWriter(path: string, logger: unknown): WriteLog {
  const isObject = typeof logger === 'object' && logger !== null;
  const lacks = LEVELS.find((level) => !isObject || typeof (logger as Partial<Logger>)[level] !== 'function');
  if (lacks !== undefined)
    throw invalidOption(path, `a logger (pino, winston or console) with a method \`${lacks}\``, logger);
  const target = logger as Logger;
  const fieldsFirst = typeof (logger as { readonly bindings?: unknown }).bindings === 'function';
  const warn = (error: unknown): void => {
    process.emitWarning(`The logger failed: ${String(error)}`, { type: 'StormlampListenerWarning' });
  };
  return (level, message, fields) => {
    try {
      const written = fieldsFirst ? target[level](fields, message) : target[level](message, fields);
      // One that writes over a network rejects where others throw, and a rejection that nobody takes ends the process.
      if (written instanceof Promise) written.catch(warn);
    } catch (error) {
      warn(error);
    }
  };
}

/** Whether `logger` says that it writes lines of the level `debug`; `console`, which has no levels, does not. */
export function writesDebug(logger: unknown): boolean {
  const { isLevelEnabled } = logger as { readonly isLevelEnabled?: unknown };
  return typeof isLevelEnabled === 'function' && isLevelEnabled.call(logger, 'debug') === true;
}
