/** What a call of a function means for routing. */
import { Feature } from './features.js';
import type { ReadOnlyFunctions } from './read-only-functions.js';
import { Token } from './statement-lexer.js';
import { Word, WordFlag } from './words.js';

/** What is allowed to be called: the flags of built-in functions that must be set, and the user's own list. */
export interface KnownFunctions {
  /** {@link WordFlag} bits that a built-in function must have. */
  readonly reads: number;
  /** {@link WordFlag} bits of a word that is never a call. */
  readonly plain: number;
  /** Whether `sql_mode` allows a blank between the name of any built-in function and its parenthesis. */
  readonly ignoresSpace: boolean;
  /** The user's functions. */
  readonly readOnly: ReadOnlyFunctions;
  /** The user's replayed session variables in lower case. */
  readonly replayed: ReadonlySet<string>;
}

const SPECIAL: readonly number[] = (() => {
  const features: number[] = Array.from({ length: 64 }, () => 0);
  features[Word.GET_LOCK] = Feature.NAMED_LOCK;
  features[Word.RELEASE_LOCK] = Feature.LOCK_RELEASE;
  features[Word.RELEASE_ALL_LOCKS] = Feature.ALL_LOCKS_RELEASE;
  features[Word.LAST_INSERT_ID] = Feature.LAST_WRITE;
  features[Word.FOUND_ROWS] = Feature.FOUND_ROWS;
  features[Word.ROW_COUNT] = Feature.LAST_STATEMENT;
  features[Word.NEXTVAL] = Feature.SEQUENCE_WRITE;
  features[Word.SETVAL] = Feature.SEQUENCE_WRITE;
  features[Word.LASTVAL] = Feature.SEQUENCE_READ;
  features[Word.CONNECTION_ID] = Feature.CONNECTION_ID;
  return features;
})();

/**
 * The {@link Feature} bits of a call, 0 when there is nothing special about it.
 *
 * @param kind the kind of the name's token
 * @param value what the word table knows of it
 * @param start where it starts
 * @param end where it ends
 * @param touches whether the parenthesis follows at once
 * @param isQualified whether a point stands before it
 */
export function callFeatures(
  text: string,
  functions: KnownFunctions,
  kind: number,
  value: number,
  start: number,
  end: number,
  touches: boolean,
  isQualified: boolean,
): number {
  const { reads, plain, ignoresSpace, readOnly } = functions;
  if (kind === Token.WORD && !isQualified) {
    const special = SPECIAL[value & WordFlag.NUMBER] ?? 0;
    if (special !== 0) return special;
    const isMeant = touches || ignoresSpace || (value & WordFlag.TOUCHING) === 0;
    if ((value & reads) === reads && isMeant) return 0;
    if ((value & plain) === plain) return 0;
    if ((value & WordFlag.LOCAL) !== 0) return Feature.LOCAL;
  }
  if (!readOnly.isEmpty && readOnly.has(text, start, end, isQualified)) return 0;
  return Feature.UNKNOWN_FUNCTION;
}
