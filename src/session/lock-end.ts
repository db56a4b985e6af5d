/** Whether a lock ends by itself: only memcached's text protocol tells how long an item still lives. */
import type { Deadline } from '../common/deadline.js';
import { ErrorCode, isStormlampError } from '../common/stormlamp-error.js';
import { assertKey } from '../memcached/memcached-key.js';
import { TextConnection, type TextConnectionOptions } from '../memcached/text-connection.js';

/** A node that does not answer for so long does not answer, milliseconds. */
const ANSWER_MS = 2_000;

/**
 * Whether the lock under `key` ends by itself, or is gone. False also where the node cannot tell, since it speaks no text protocol
 * (SASL) or has no meta commands (before 1.6); undefined where it does not answer now. Never rejects.
 */
export async function endsByItself(
  node: TextConnectionOptions,
  key: string,
  deadline: Deadline,
): Promise<boolean | undefined> {
  const within = deadline.callWithin(ANSWER_MS);
  try {
    assertKey(key);
    await using connection = await TextConnection.open(node, within);
    const [ends] = await connection.pipeline(
      'asking when a lock ends',
      `mg ${key} t\r\n`,
      1,
      readEnd,
      within,
    );
    return ends;
  } catch (error) {
    const cannot =
      isStormlampError(error, ErrorCode.UNSUPPORTED) || isStormlampError(error, ErrorCode.MEMCACHED);
    return cannot ? false : undefined;
  }
}

/** The first servers with meta commands said OK. */
function readEnd(line: string): boolean | undefined {
  if (line === 'EN') return true;
  const rest = /^(?:HD|OK) t(-?\d{1,10})$/.exec(line)?.[1];
  return rest === undefined ? undefined : Number(rest) >= 0;
}
