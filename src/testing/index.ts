/** Real servers and faults for tests: what `stormlamp/testing` exports. */

export type { FailedCopy } from './conformance/copy-stories.js';
export {
  type ExpressStore,
  type ExpressStoreConformanceOptions,
  expressStoreConformance,
} from './conformance/express-store-conformance.js';
export {
  type ConformanceCase,
  type SessionStoreConformanceOptions,
  sessionStoreConformance,
} from './conformance/session-store-conformance.js';
export type { LocalAccount, LocalAccounts } from './database/local-accounts.js';
export type { LocalPtHeartbeat, PtHeartbeatOptions } from './database/pt-heartbeat.js';
export type { FakeAnswer, FakeReply, FakeStatement, FakeWriteResult } from './fake/fake-answers.js';
export { type FakeCluster, type FakeClusterOptions, fakeCluster } from './fake/fake-cluster.js';
export type {
  Fault,
  FaultDirection,
  FaultKind,
  FaultOptions,
  LatencyOptions,
  NodeFaults,
  PartitionOptions,
  SliceOptions,
  ThrottleOptions,
} from './faults/node-faults.js';
export type { LocalCluster, LocalConnectionOptions } from './local-cluster.js';
export type {
  LocalClusterOptions,
  LocalDriver,
  LocalImages,
  LocalServerArgs,
} from './local-cluster-options.js';
export type { LocalProgress, LocalProgressListener } from './local-progress.js';
export type {
  DatabaseRow,
  LocalDatabaseNode,
  LocalNode,
  LocalNodeState,
  LocalPhpSite,
} from './nodes/local-node.js';
export type { PhpIni } from './php/php-ini.js';
export type { PhpOptions, PhpResult } from './php/php-runner.js';
export type { PhpSiteOptions, PhpSiteSource } from './php/php-site.js';
export type { LocalServerVersion } from './process/server-launcher.js';
export type { InstallProgress, InstallProgressListener } from './servers/install-progress.js';
export type {
  MariadbBinaries,
  MysqlBinaries,
  PhpBinaries,
  ServerBinaries,
  ServerName,
  ServerProgram,
  ServerRelease,
  ServerReleases,
} from './servers/server-binaries.js';
export type { ServerPaths } from './servers/server-search.js';
export { startLocalCluster } from './start-local-cluster.js';
