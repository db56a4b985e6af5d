/** Symfony and Laravel of the system's packages; `npm run chaos -- frameworks` has newer releases of them. */
import { tellFrameworkStories } from '../support/framework-stories.js';

tellFrameworkStories(undefined);
