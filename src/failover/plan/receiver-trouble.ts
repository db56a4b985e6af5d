/** Why a replica does not receive, told by the number of its receiver's last error; a pure function. */

/** What keeps a receiver from receiving. */
export type ReceiverTrouble =
  /** Nothing, or that it could not connect: whoever starts it again does no harm. */
  | 'none'
  /** The source does not serve what comes next for it: it has no such logs, or another history. */
  | 'logs-gone'
  /** Anything else: an operator has to look. */
  | 'other';

/** The source's answer to a place in its logs that it cannot serve; newer versions of MySQL have a number of their own. */
const LOGS_GONE: ReadonlySet<number> = new Set([1236, 13_114]);
/** Too many connections, wrong password, shutting down, blocked host, unknown host, too many of this user. */
const REFUSED_LOGIN: ReadonlySet<number> = new Set([1040, 1045, 1053, 1129, 1130, 1203, 1226]);

/** What the last error of a receiver means; 0 is none. The number stays until the receiver is started again. */
export function receiverTrouble(errno: number): ReceiverTrouble {
  if (errno === 0 || REFUSED_LOGIN.has(errno)) return 'none';
  if (LOGS_GONE.has(errno)) return 'logs-gone';
  // Errors of the connection itself, as every client has them.
  return errno >= 2_000 && errno < 3_000 ? 'none' : 'other';
}
