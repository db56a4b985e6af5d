/** Keeps the doctor's report whole: what ends the look at one part is told as a check of it, and hides none of the others. */
import { ErrorCode, isStormlampError } from '../../common/stormlamp-error.js';
import { type Check, Checks } from './check.js';
import { troubleOf } from './trouble-of.js';

/** What is about the command itself. */
const OF_THE_COMMAND: readonly ErrorCode[] = [ErrorCode.INVALID_OPTION, ErrorCode.ABORTED];

/**
 * The checks of one part, or a failed one that says why there are none.
 *
 * @throws StormlampError `ERR_INVALID_OPTION` and `ERR_ABORTED`, which are about the command itself; what is no StormlampError, a
 * defect.
 */
export async function toldPart(
  area: Check['area'],
  work: Promise<readonly Check[]>,
): Promise<readonly Check[]> {
  try {
    return await work;
  } catch (error) {
    if (!isStormlampError(error) || OF_THE_COMMAND.includes(error.code)) throw error;
    const checks = new Checks(area);
    checks.bad('failed', null, 'the look at it', { expected: 'to come to its end', ...troubleOf(error) });
    return checks.list;
  }
}
