/** Newer releases of Symfony, Laravel and PHP than the system has, from other suites of Debian. */
import { describe } from 'vitest';
import { tellFrameworkStories } from '../support/framework-stories.js';

describe.each(['trixie', 'sid'])('of Debian %s', (suite) => tellFrameworkStories(suite));
