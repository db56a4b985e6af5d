/** Finds the PHP-FPM of this machine: where its configuration is by what PHP tells, else where distributions have it. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { matchingFiles } from './matching-files.js';

/** The configuration of a PHP-FPM. */
export interface FoundFpm {
  /** Its php-fpm.conf. */
  readonly file: string;
  /** Whether it belongs to the PHP that is looked at, by the folder of its php.ini. */
  readonly near: boolean;
}

/** Debian, Alpine and SUSE, Red Hat and Arch, its Software Collections, Docker and FreeBSD, Homebrew. */
const PLACES = [
  '/etc/php/*/fpm/php-fpm.conf',
  '/etc/php*/fpm/php-fpm.conf',
  '/etc/php*/php-fpm.conf',
  '/etc/php-fpm.conf',
  '/etc/opt/remi/php*/php-fpm.conf',
  '/usr/local/etc/php-fpm.conf',
  '/opt/homebrew/etc/php/*/php-fpm.conf',
];
/** Folders of a php.ini that is for another kind of PHP. */
const OTHERS: ReadonlySet<string> = new Set(['apache2', 'cgi', 'embed', 'litespeed', 'phpdbg']);

/** By what `php -i` printed (`info`); nothing where its php.ini is that of another kind of PHP. Never rejects. */
export async function findFpm(
  info: string,
  places: readonly string[] = PLACES,
): Promise<readonly FoundFpm[]> {
  const loaded = /^Loaded Configuration File => (.+)$/m.exec(info)?.[1]?.trim() ?? '(none)';
  const folder = /^Configuration File \(php\.ini\) Path => (.+)$/m.exec(info)?.[1]?.trim();
  const homes = [loaded === '(none)' ? undefined : dirname(loaded), folder].filter(
    (home) => home !== undefined,
  );
  if (homes.some((home) => OTHERS.has(basename(home)))) return [];
  const near = homes.flatMap((home) => [
    join(home, 'php-fpm.conf'),
    // Docker's images have the php.ini one folder below it.
    join(dirname(home), 'php-fpm.conf'),
    join(dirname(home), 'fpm', 'php-fpm.conf'),
  ]);
  const own = await files(near);
  if (own.length > 0) return own.map((file) => ({ file, near: true }));
  const others = await files((await Promise.all(places.map(matchingFiles))).flat());
  return others.map((file) => ({ file, near: false }));
}

async function files(paths: readonly string[]): Promise<readonly string[]> {
  const there = await Promise.all(
    paths.map(async (path) => (await stat(path).catch(() => undefined))?.isFile() === true),
  );
  return [...new Set(paths.filter((_path, at) => there[at] === true))];
}
