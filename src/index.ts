/** stormlamp: MySQL routing, PHP-compatible sessions and failover in one object. */
export {
  ErrorCode,
  isStormlampError,
  StormlampError,
  type StormlampErrorDetails,
} from './common/stormlamp-error.js';
