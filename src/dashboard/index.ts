/** What `stormlamp/dashboard` exports. */
export type { AnyCluster } from '../cluster-readiness.js';
export { type DashboardHandler, dashboard } from './dashboard.js';
export type { DashboardOptions } from './dashboard-options.js';
