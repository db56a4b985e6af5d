/**
 * The servers on which the tests of the MySQL client run: those of the system and MySQL. Long runs name others in the
 * environment: `npm run chaos -- mysql-newest` the newest MariaDB, `npm run chaos -- topology` all of them.
 */
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

/** For what is decided by the same code on every server, and was seen there once: the long form asks all, `npm test` one. */
export const LONG_CLIENT_DATABASES: readonly DatabaseCase[] =
  named === undefined ? CLIENT_DATABASES.slice(0, 1) : CLIENT_DATABASES;

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
