/** What is told of an error to people who are not to see data. */
import { describeError } from './stormlamp-error.js';

/**
 * The text of anything that was thrown, where it may be the answer of a database server, the error itself or what it has as its
 * cause: of that the number alone, since the text of the server quotes values and statements.
 */
export function describeWithoutValues(error: unknown): string {
  let text = describeError(error);
  for (let each = error, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth += 1) {
    const { errno, sqlState } = each as { readonly errno?: unknown; readonly sqlState?: unknown };
    // Negative numbers are the system's, which quotes nothing.
    if (typeof errno === 'number' && errno > 0 && each.message !== '')
      text = text.replaceAll(
        each.message,
        `error ${errno} of the server${typeof sqlState === 'string' ? ` (${sqlState})` : ''}`,
      );
  }
  return text;
}
