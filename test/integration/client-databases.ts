/**
 * The servers on which the tests of the MySQL client run: those of the system and MySQL; the long ones run on the newest
 * MariaDB by `npm run chaos -- mysql-newest`, which names it in the environment.
 */
import { DATABASES, type DatabaseCase } from './database-matrix.js';

const named = process.env['STORMLAMP_CLIENT_DATABASES'];

/** For what takes long: without the newest MariaDB, unless it is named. */
export const CLIENT_DATABASES: readonly DatabaseCase[] = DATABASES.filter(({ name, options }) =>
  named === undefined ? options.versions === undefined : name === named,
);

/** For what is quick: all of them. */
export const EVERY_CLIENT_DATABASE: readonly DatabaseCase[] = DATABASES.filter(
  ({ name }) => named === undefined || name === named,
);

/** For what is about the client and the same on every server: one of them. */
export const ONE_CLIENT_DATABASE: DatabaseCase = firstOf(CLIENT_DATABASES);

function firstOf(databases: readonly DatabaseCase[]): DatabaseCase {
  const [first] = databases;
  if (first === undefined) throw new Error(`There is no server called ${named}`);
  return first;
}
