/** What `php -i` cannot say: the command line runs without a limit, and shows that instead of what its php.ini has for pages. */
import { readFileSync } from 'node:fs';
import { type PhpSettings, parsePhpIni } from '../../session/php-settings.js';

const LIMIT = 'max_execution_time';

/**
 * `settings` with the limit of pages that stands in the files which PHP has read, by what `php -i` printed (`info`); without one
 * where none of them has it, which is PHP's default.
 */
export function webServerSettings(settings: PhpSettings, info: string): PhpSettings {
  // Another number than the command line's own was asked for there.
  if (settings.get(LIMIT) !== '0') return settings;
  const changed = new Map(settings);
  changed.delete(LIMIT);
  for (const file of filesOf(info)) {
    const limit = limitIn(file);
    if (limit !== undefined) changed.set(LIMIT, limit);
  }
  return changed;
}

/** In the order in which PHP reads them: the last one wins. */
function filesOf(info: string): readonly string[] {
  const loaded = /^Loaded Configuration File => (.+)$/m.exec(info)?.[1] ?? '';
  const more = /^Additional \.ini files parsed => ((?:.*,\r?\n)*.*)$/m.exec(info)?.[1] ?? '';
  return [loaded, ...more.split(',')]
    .map((file) => file.trim())
    .filter((file) => file !== '' && file !== '(none)');
}

function limitIn(file: string): string | undefined {
  try {
    return parsePhpIni(readFileSync(file, 'utf8'), process.env, file).get(LIMIT);
  } catch {
    // What PHP could read and this process cannot has nothing to say here.
    return undefined;
  }
}
