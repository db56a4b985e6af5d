/** stormlamp: MySQL routing, PHP-compatible sessions and failover in one object. */
export type { BreakerChange, BreakerState, OperationClass } from './breaker/node-breaker.js';
export type {
  CacheEvents,
  CacheReadOptions,
  CacheStats,
  CacheWrapOptions,
  CacheWriteOptions,
  MakeCacheValue,
} from './cache/cache-calls.js';
export type { CacheOptions, LocalLevelOptions } from './cache/cache-options.js';
export { createTieredCache } from './cache/create-tiered-cache.js';
export type { CacheCompression, CacheSerializer } from './cache/php-cache-value.js';
export type { TieredCache } from './cache/tiered-cache.js';
export type { ClusterOptions } from './cluster-options.js';
export type { CallOptions } from './common/deadline.js';
export type { NodeAddress, NodeId } from './common/node-address.js';
export type { SafeEmitter } from './common/safe-emitter.js';
export {
  ErrorCode,
  isStormlampError,
  StormlampError,
  type StormlampErrorDetails,
} from './common/stormlamp-error.js';
export { Cluster, createCluster } from './create-cluster.js';
export type { DiagnosticsName, DiagnosticsPayloads } from './diagnostics/channels.js';
export type { Logger, LogLevel } from './diagnostics/logger.js';
export type { StatementTrace } from './diagnostics/statement-trace.js';
export type { ActingOptions, MaxLoss } from './failover/acting-options.js';
export type { HookFrame, Verdict } from './failover/change/ask-hook.js';
export type { ChangeResult } from './failover/change/change-control.js';
export type { ClusterSnapshot, NodeSnapshot } from './failover/cluster-snapshot.js';
export type { DetectorPolicy } from './failover/detector/detector-policy.js';
export type { Evidence } from './failover/detector/evidence.js';
export type { FailoverEvents } from './failover/failover-events.js';
export type {
  ChangeInHand,
  DetectedFailure,
  FailoverHooks,
  FollowedChange,
  HookContext,
  RebuildRequest,
} from './failover/failover-hooks.js';
export type { JournalKind, JournalRecord } from './failover/failover-journal.js';
export type {
  FailoverManager,
  ForceOptions,
  PauseHandle,
  PauseOptions,
  SwitchoverOptions,
} from './failover/failover-manager.js';
export type { FailoverMode, FailoverOptions, HookPolicy } from './failover/failover-options.js';
export type { IsolateOptions } from './failover/failover-targets.js';
export type { FailureKind } from './failover/failure-kind.js';
export type { FenceResult } from './failover/fence-result.js';
export type { SentStatement } from './failover/locks/statement-log.js';
export type { NodesManaged } from './failover/managed-nodes.js';
export {
  type HaproxyAgent,
  type HaproxyAgentOptions,
  startHaproxyAgent,
} from './failover/php-tier/haproxy-agent.js';
export type {
  DocumentNode,
  TopologyDocument,
  TopologyFileFormat,
} from './failover/php-tier/topology-document.js';
export {
  startTopologyFile,
  type TopologyFile,
  type TopologyFileEvents,
} from './failover/php-tier/topology-file.js';
export type { TopologyFileOptions } from './failover/php-tier/topology-file-options.js';
export type { TopologySource } from './failover/php-tier/topology-source.js';
export type { CandidateWishes } from './failover/plan/candidate-choice.js';
export type { CommitWaits } from './failover/plan/commit-waits.js';
export type {
  ExcludedNode,
  ExpectedLoss,
  FailoverPlan,
  PlanKind,
  PlanStep,
  StepAction,
} from './failover/plan/failover-plan.js';
export type { FrozenReplica, FrozenReplicas } from './failover/plan/frozen-replicas.js';
export type { PreflightCheck, PreflightReport } from './failover/preflight/preflight.js';
export { type CloneRebuildOptions, cloneRebuild } from './failover/rebuild/clone-rebuild.js';
export { dumpRebuild } from './failover/rebuild/dump-rebuild.js';
export type { RebuildOptions, RebuildPrograms } from './failover/rebuild/rebuild-options.js';
export type { ReplicationOptions, ReplicationTlsOptions } from './failover/replication-options.js';
export {
  createHttpUpstreams,
  type HttpUpstreams,
  type HttpUpstreamsEvents,
  type HttpUpstreamsOptions,
  type UpstreamTicket,
} from './failover/resources/http-upstreams.js';
export type { Incarnation, PairNodeState } from './failover/resources/incarnation.js';
export {
  type LeaderLease,
  type LeaderLeaseEvents,
  type LeaderLeaseOptions,
  type LeasePhase,
  startLeaderLease,
} from './failover/resources/leader-lease.js';
export type { LeaseContext, LeasedResource, LossContext } from './failover/resources/leased-resource.js';
export {
  type MemcachedPair,
  type MemcachedPairEvents,
  type MemcachedPairOptions,
  watchMemcachedPair,
} from './failover/resources/memcached-pair.js';
export { type MountResourceOptions, mountResource } from './failover/resources/mount-resource.js';
export type { EjectionPolicy, UpstreamRecord } from './failover/resources/outlier-ejection.js';
export type { CommandResult, RunCommand } from './failover/resources/run-command.js';
export { keepalivedTrackFile, type TrackFileOptions } from './failover/resources/track-file.js';
export { type VirtualIpOptions, virtualIp } from './failover/resources/virtual-ip.js';
export type { Stranger } from './failover/strangers.js';
export type { Suspicion } from './failover/suspicion.js';
export type { FileOwner } from './files/file-owner.js';
export type { SharedEntry } from './files/list-shared.js';
export type { WalkProgress, WalkReport } from './files/mirror-walk.js';
export type { MirroredMountsEvents, MountStatus } from './files/mirrored-mounts.js';
export type { MountChange } from './files/mount.js';
export type { MountHealth } from './files/mount-health.js';
export type { MissedMount } from './files/shared-change.js';
export {
  createSharedFiles,
  type ReadSharedOptions,
  type SharedFileStat,
  type SharedFiles,
  type SharedFilesEvents,
  type SharedWriteResult,
  type WalkOptions,
  type WriteSharedOptions,
} from './files/shared-files.js';
export type { ResolvedSharedFilesOptions, SharedFilesOptions } from './files/shared-files-options.js';
export type { SharedFileSource } from './files/source-pieces.js';
export type { WalkMode } from './files/walk-plan.js';
export type { NodeStanding } from './memcached/copies/node-standings.js';
export type { NodeMemory } from './memcached/node-observation.js';
export type { NodeResyncReport } from './memcached/resync/resync.js';
export type {
  NodeResynced,
  ResyncEvents,
  ResyncKind,
  ResyncProgress,
  SessionsLost,
} from './memcached/resync/resync-events.js';
export type { AddressMap } from './mysql/address-map.js';
export type { DoneCallback } from './mysql/callback-connection.js';
export type { CallbackPool } from './mysql/callback-pool.js';
export type {
  AccessMode,
  PinTarget,
  SessionSetting,
  VariableOptions,
} from './mysql/classifier/classification.js';
export {
  type Classification,
  type ClassifyOptions,
  classify,
  type FunctionOptions,
  type Pin,
  type Route,
  type StatementKind,
  type TransactionEffect,
} from './mysql/classifier/statement-classifier.js';
export type { NodeStats, Operation } from './mysql/cluster-node.js';
export type { ClusterNodeDescription, ClusterTopology } from './mysql/cluster-topology.js';
export type { ConnectionFace } from './mysql/connection-face.js';
export type { MysqlNodeOptions } from './mysql/connection-options.js';
export type {
  CredentialsSource,
  MysqlCredentials,
  SessionValue,
  TlsSettings,
} from './mysql/connection-settings.js';
export type { DeferredCommand } from './mysql/deferred-command.js';
export type { DiscoveryOptions } from './mysql/discovery-options.js';
export type { ConsideredNode, RouteExplanation } from './mysql/explain.js';
export type { HeartbeatOptions } from './mysql/heartbeat-table.js';
export { createHostResolver, type HostResolver, type ServiceTarget } from './mysql/host-resolver.js';
export type { LocalFileSource } from './mysql/local-file.js';
export type {
  LagMeter,
  LagMeterContext,
  LagSource,
  MonitorOptions,
} from './mysql/monitor-options.js';
export type { MysqlCluster } from './mysql/mysql-cluster.js';
export { createMysqlCluster } from './mysql/mysql-cluster.js';
export type { MysqlClusterEvents } from './mysql/mysql-events.js';
export type { MysqlNodeInput, MysqlOptions, ScopeOptions } from './mysql/mysql-options.js';
export type { NewConnection, NewConnectionCallback } from './mysql/new-connection.js';
export type { PoolStats } from './mysql/pool-errors.js';
export type { PoolOptions, PoolSize } from './mysql/pool-options.js';
export type { PreparedStatement, PrepareOptions } from './mysql/prepared-statement.js';
export type { MysqlConnection } from './mysql/promise-connection.js';
export type { ReadOptions } from './mysql/read-options.js';
export type { ReplicaFitness, ReplicaFitnessChange } from './mysql/replica-fitness.js';
export type { Consistency, MysqlScope, ScopeView } from './mysql/scope.js';
export type { KillFailure, RouteEvent } from './mysql/session-ports.js';
export type { ShareOptions } from './mysql/share-options.js';
export type {
  StatementCallback,
  StatementLimits,
  StatementOptions,
  StatementValues,
} from './mysql/statement.js';
export type { IsolationLevel, TransactionOptions } from './mysql/transaction.js';
export type { CacheLimiter, CacheLimits } from './session/cache-limiter.js';
export type {
  CommonSessionOptions,
  ResolvedCommonSessionOptions,
} from './session/common-session-options.js';
export type { CommonSessionStore } from './session/common-session-store.js';
export { createSessionStore, type SessionStoreOf } from './session/create-session-store.js';
export {
  type CustomSessionOptions,
  type CustomSessionStore,
  createCustomSessionStore,
} from './session/custom-session-store.js';
export type { FileSessionStoreEvents } from './session/file-session-events.js';
export type { FileSessionOptions, ResolvedFileSessionOptions } from './session/file-session-options.js';
export type { FileSessionResync } from './session/file-session-repair.js';
export type { FileSessionStore } from './session/file-session-store.js';
export type { LaravelCipher } from './session/laravel-encrypter.js';
export { type LaravelSession, laravelSession } from './session/laravel-session.js';
export { type LaravelSessionsOptions, laravelSessions } from './session/laravel-sessions.js';
export type { NodeChangeState, NodeChangeStep, SetNodesOptions } from './session/node-change.js';
export type { Session, SessionVariables } from './session/session.js';
export type { SessionBackend, SessionBackendCall, SessionBackendLock } from './session/session-backend.js';
export type {
  ResolvedSessionCookie,
  SessionCookieOptions,
  SessionCookieSeal,
} from './session/session-cookie-options.js';
export type { SessionStoreEvents } from './session/session-events.js';
export type { SessionIdFormat } from './session/session-id.js';
export type { ResolvedSessionIds, SessionIdOptions } from './session/session-id-options.js';
export type { ConflictDecision, DecidedConflict, VariableConflict } from './session/session-merge.js';
export type { SessionNodeStatus } from './session/session-nodes.js';
export type {
  ResolvedSessionOptions,
  SessionHandlerName,
  SessionOptions,
} from './session/session-options.js';
export type { PlacedNode, SessionPlacementOptions } from './session/session-placement-options.js';
export type { SessionPreflightCheck, SessionPreflightReport } from './session/session-preflight.js';
export type { SessionStore } from './session/session-store.js';
export type {
  LoadOptions,
  RegenerateOptions,
  SessionSaveResult,
  SessionStorePort,
  SessionStorePortOptions,
} from './session/session-store-port.js';
export type { SessionSeal } from './session/session-values.js';
export type { SaveResult } from './session/session-writer.js';
export type { AnySessionOptions } from './session/store-options.js';
export { type SymfonySession, symfonySession } from './session/symfony-session.js';
export { type SymfonySessionsOptions, symfonySessions } from './session/symfony-sessions.js';
export type { BalanceName } from './topology/balance.js';
export type { LagRule } from './topology/measured-lag.js';
export type {
  Alone,
  Blind,
  ConfiguredRole,
  Errant,
  Flavor,
  GroupFacts,
  GroupMark,
  GroupPosition,
  Lag,
  NodeDescription,
  NodeRole,
  NodeSeed,
  ProbeFailure,
  Reception,
  ReplicationChannel,
  SemiSync,
  ServerFacts,
  SourceLost,
} from './topology/node-description.js';
export type { ReadPreference } from './topology/read-preference.js';
export type { ServerPeer } from './topology/server-peers.js';
export type {
  TopologyDescription,
  TopologyWarning,
  TopologyWarningCode,
  WriterState,
} from './topology/topology-description.js';
