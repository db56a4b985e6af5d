/** The servers on which replication is proven. */
import type { LocalClusterOptions } from '../../src/testing/index.js';

/** One kind of server, by the name that a test shows. */
export interface DatabaseCase {
  /** Family and release. */
  readonly name: string;
  /** What to start it with. */
  readonly options: Pick<LocalClusterOptions, 'flavor' | 'versions'>;
  /** The family. */
  readonly flavor: 'mariadb' | 'mysql';
}

/** MariaDB of the system, the newest MariaDB, and MySQL. */
export const DATABASES: readonly DatabaseCase[] = [
  { name: 'MariaDB 10.11', flavor: 'mariadb', options: { flavor: 'mariadb' } },
  {
    name: 'MariaDB 11.8',
    flavor: 'mariadb',
    options: { flavor: 'mariadb', versions: { mariadb: 'newest' } },
  },
  { name: 'MySQL 9.7', flavor: 'mysql', options: { flavor: 'mysql' } },
];
