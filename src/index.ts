/** stormlamp: MySQL routing, PHP-compatible sessions and failover in one object. */
export { CLUSTER_VARIABLES, type ClusterOptions } from './cluster-options.js';
export {
  ErrorCode,
  isStormlampError,
  StormlampError,
  type StormlampErrorDetails,
} from './common/stormlamp-error.js';
export { Cluster, createCluster } from './create-cluster.js';
export { classify } from './mysql/classifier/statement-classifier.js';
