/** PHP's `session.save_path` of the files handler, `[depth;[mode;]]path`, and the file of each session in it. */
import { join } from 'node:path';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** Start of the names of session files. */
export const SESSION_FILE_PREFIX = 'sess_';

/** What a save path says. */
export interface FileSavePath {
  /** Folders between the path and the file, each named by one character of the id. */
  readonly depth: number;
  /** Permission bits of new files. */
  readonly mode: number;
  /** The folder. */
  readonly path: string;
}

/**
 * Reads a save path as PHP does (php-src ext/session/mod_files.c, `ps_open`): the path is what follows the last of at most
 * two semicolons, the depth is decimal, the mode octal.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` where PHP would refuse to start the session.
 */
export function parseSavePath(optionPath: string, text: string): FileSavePath {
  const [, depthText, modeText, path = ''] = /^(?:([^;]*);(?:([^;]*);)?)?(.*)$/s.exec(text) ?? [];
  const depth = depthText === undefined ? 0 : number(depthText, /^\d{1,2}$/, 10);
  const mode = modeText === undefined ? 0o600 : number(modeText, /^[0-7]{1,4}$/, 8);
  if (depth === undefined || depth > 16)
    throw wrong(optionPath, text, 'the depth is not a number from 0 to 16');
  if (mode === undefined || mode > 0o777)
    throw wrong(optionPath, text, 'the mode is not an octal number up to 777');
  if (!path.startsWith('/') || path.includes(';') || path.includes('\0'))
    throw wrong(optionPath, text, 'the path is not absolute, or has a semicolon');
  return { depth, mode, path };
}

/**
 * The file of a session, relative to the path: `a/b/sess_abc…` at depth 2.
 *
 * @throws StormlampError `ERR_SESSION_ID` for an id that is no longer than the depth, or longer than a file name, which
 * PHP refuses, too.
 */
export function sessionFileName(id: string, depth: number): string {
  // The id was checked against `accept`, which an application may have widened; what a path cannot hold stays out.
  if (!/^[A-Za-z0-9,-]{1,250}$/.test(id) || id.length <= depth) {
    throw new StormlampError(
      ErrorCode.SESSION_ID,
      `The session id (${id.length} characters) cannot be kept in a file: letters, digits, comma and minus, more than ${depth} and at most 250`,
    );
  }
  return join(...id.slice(0, depth), `${SESSION_FILE_PREFIX}${id}`);
}

function number(text: string, form: RegExp, base: number): number | undefined {
  return form.test(text) ? Number.parseInt(text, base) : undefined;
}

function wrong(optionPath: string, text: string, why: string): StormlampError {
  return new StormlampError(
    ErrorCode.INVALID_OPTION,
    `Expected \`${optionPath}\` to be PHP's \`[depth;[mode;]]path\`, got ${JSON.stringify(text)}: ${why}`,
  );
}
