/** Which server answers: its family and version, read from the text that the server itself sends. */
import type { Flavor } from '../topology/node-description.js';

/** The family and version of a server. */
export interface ServerVersion {
  /** The family. */
  readonly flavor: Flavor;
  /** The version as the server writes it, without the `5.5.5-` that MariaDB puts before it in the handshake. */
  readonly text: string;
  /** Major, minor and patch number; 0 where the text has none. */
  readonly numbers: readonly [major: number, minor: number, patch: number];
}

/**
 * Reads what `VERSION()` or the handshake says. `@@version_comment` is not looked at: distribution builds put only the
 * name of the distribution into it.
 */
export function parseServerVersion(text: string): ServerVersion {
  const flavor: Flavor = /mariadb/i.test(text) ? 'mariadb' : 'mysql';
  // Old replicas refused a major version of two digits, so MariaDB 10 and later say that they are a 5.5.5 first.
  const own = flavor === 'mariadb' ? text.replace(/^5\.5\.5-(?=\d)/, '') : text;
  const match = /^(\d{1,4})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?/.exec(own);
  return {
    flavor,
    text: own,
    numbers: [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0), Number(match?.[3] ?? 0)],
  };
}

/** Whether `version` is `major.minor.patch` or later; the caller has looked at the flavor. */
export function isAtLeast(version: ServerVersion, major: number, minor = 0, patch = 0): boolean {
  const wanted = [major, minor, patch] as const;
  for (const [index, number] of version.numbers.entries()) {
    const difference = number - (wanted[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
