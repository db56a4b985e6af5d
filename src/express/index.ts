/** What `stormlamp/express` exports. */

export type { AnyCluster, ClusterNeed } from '../cluster-readiness.js';
export type {
  LoadOptions,
  RegenerateOptions,
  SessionSaveResult,
  SessionStorePort,
  SessionStorePortOptions,
} from '../session/session-store-port.js';
export type { SessionDone } from './call-back.js';
export {
  type ExpressSessionData,
  ExpressSessionStore,
  type SessionCallback,
  sessionStore,
} from './express-session-store.js';
export { type HealthOptions, health } from './health.js';
export { HttpSession, loadSession, type PhpSessionOptions, type SessionSource } from './http-session.js';
export {
  type PhpSessionMiddleware,
  type PhpSessionRequest,
  phpSession,
} from './php-session.js';
export { RequestSession, type RequestSessionPort } from './request-session.js';
export { type RequestScopeOptions, type ScopeHost, scope } from './scope.js';
