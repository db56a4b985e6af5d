/** The session options that the settings of PHP's files handler amount to (php-src ext/session/mod_files.c). */
import { describeError } from '../common/stormlamp-error.js';
import { parseSavePath } from './file-save-path.js';
import type { FileSessionOptions } from './file-session-options.js';
import type { PhpSettingsReader } from './php-settings-reader.js';

/** See the head of this file. `placed` tells that the mounts are given elsewhere. */
export function phpFilesOptions(
  reader: PhpSettingsReader,
  placed: boolean,
): Pick<FileSessionOptions, 'mounts'> {
  const path = reader.text('session.save_path', '');
  if (placed) return { mounts: [] };
  if (path === '') {
    reader.refuse(
      'session.save_path',
      'PHP then takes the temporary folder of its own machine, user and service; set it, or give `mounts`',
    );
    return { mounts: [] };
  }
  try {
    parseSavePath('session.save_path', path);
  } catch (error) {
    reader.refuse('session.save_path', describeError(error));
  }
  return { mounts: [path] };
}
