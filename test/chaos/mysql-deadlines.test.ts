/** Deadlines under faults, on every kind of server. */
import { DATABASES } from '../integration/database-matrix.js';
import { testDeadlines } from '../support/deadline-suite.js';

testDeadlines(DATABASES);
