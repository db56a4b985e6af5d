/** What `stormlamp/express` exports. */
export {
  type PhpSessionMiddleware,
  type PhpSessionOptions,
  type PhpSessionRequest,
  phpSession,
} from './php-session.js';
export { RequestSession, type RequestSessionPort } from './request-session.js';
