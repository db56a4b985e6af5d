/**
 * The servers on which the tests of the MySQL client run: those of the system and MySQL. Long runs name others in the
 * environment: `npm run chaos -- mysql-newest` or `failover-newest` the newest MariaDB, `npm run chaos -- topology` all of them.
 */
import { test } from 'vitest';
import { DATABASES, type DatabaseCase } from './database-matrix.js';

const named = process.env['STORMLAMP_CLIENT_DATABASES'];

/** For what takes long: without the newest MariaDB, unless it is named. */
export const CLIENT_DATABASES: readonly DatabaseCase[] = DATABASES.filter(({ name, options }) =>
  named === undefined ? options.versions === undefined : isNamed(name),
);

/** For what is quick: all of them. */
export const EVERY_CLIENT_DATABASE: readonly DatabaseCase[] = DATABASES.filter(
  ({ name }) => named === undefined || isNamed(name),
);

/**
 * `test`, or nothing: for what the same code decides on every server. `npm test` asks it of {@link ONE_CLIENT_DATABASE} only, and of
 * the others what differs there; the long runs ask everything of all.
 */
export function wholeTest(database: string): (title: string, work: () => Promise<void> | void) => void {
  const isWhole = named !== undefined || database === ONE_CLIENT_DATABASE.name;
  return isWhole ? (title, work) => test(title, work) : () => undefined;
}

/** For what is about the client and the same on every server: one of them. */
export const ONE_CLIENT_DATABASE: DatabaseCase = firstOf(CLIENT_DATABASES);

function isNamed(name: string): boolean {
  return named === 'all' || name === named;
}

function firstOf(databases: readonly DatabaseCase[]): DatabaseCase {
  const [first] = databases;
  if (first === undefined) throw new Error(`There is no server called ${named}`);
  return first;
}
