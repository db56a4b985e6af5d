/** How PHP is run. */
export interface PhpCall {
  /** The program. */
  readonly program: string;
  /** Arguments that come first, like `-c /etc/php/8.2/fpm/php.ini`. */
  readonly args: readonly string[];
  /** Whether it was asked for by name, so that it has to be there. */
  readonly isNamed?: boolean;
  /** The configuration of PHP-FPM that was asked for by name: a php-fpm.conf, the file of a pool, or a folder of them. */
  readonly fpm?: string | undefined;
}

/** How long PHP may take to print its settings or to look at a session, milliseconds. */
export const PHP_LIMIT_MS = 20_000;
