/** Deadlines under faults, on the server that starts fastest; `npm run chaos -- mysql-deadlines` has the others, too. */
import { testDeadlines } from '../support/deadline-suite.js';
import { DATABASES } from './database-matrix.js';

testDeadlines(DATABASES.filter(({ name }) => name === 'MariaDB 10.11'));
