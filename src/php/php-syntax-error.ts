/** The error of bytes that PHP could not read either. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** An `ERR_PHP_SYNTAX` error that tells where in the input the trouble is; the data itself is not shown. */
export function phpSyntaxError(expected: string, offset: number, length: number): StormlampError {
  return new StormlampError(
    ErrorCode.PHP_SYNTAX,
    `Not PHP serialized data: expected ${expected} at byte ${offset} of ${length}`,
  );
}
