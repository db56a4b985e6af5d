/** A session as PHP stored it, in which single variables can be changed while all other bytes stay as they are. */
import { invalidOption } from '../common/option-reader.js';
import { setOwn } from './container-frame.js';
import { type IgbinaryVariable, readIgbinarySession, writeIgbinarySession } from './igbinary-session.js';
import { type PhpLimits, type ResolvedPhpLimits, resolvePhpLimits } from './php-limits.js';
import { serialize } from './serialize.js';
import { checkSessionHandler, type SessionHandler } from './session-handler.js';
import { readSession, type SessionParts, type TextHandler } from './session-reader.js';
import { spliceSession } from './session-splice.js';
import { withSlotsIfNeeded } from './slot-tracking.js';
import { asBuffer } from './unserialize.js';

/** What becomes of a variable: a new value (in the form that {@link serialize} takes), or its removal. */
export type VariableChange =
  | {
      /** The variable gets a value. */
      readonly kind: 'set';
      /** The value. */
      readonly value: unknown;
    }
  | {
      /** The variable is removed. */
      readonly kind: 'delete';
    };

/** What a document was made of: bytes that can be copied, or values that have to be written again. */
type DocumentSource =
  | { readonly kind: 'text'; readonly format: TextHandler; readonly parts: SessionParts }
  | { readonly kind: 'igbinary'; readonly variables: readonly IgbinaryVariable[] };

/**
 * A decoded session. It is immutable: do not change the values that it hands out, give the changes to
 * {@link SessionDocument.encodeWith}.
 *
 * Variables whose name is not UTF-8 cannot be named here, but are kept.
 */
export class SessionDocument {
  /** The format. */
  readonly handler: SessionHandler;
  /** The bytes that were decoded. */
  readonly bytes: Buffer;
  /** The names of the variables in their order. Integer names (`php_serialize`) appear as text. */
  readonly keys: readonly string[];
  /** The names that are not UTF-8, of variables that are kept and cannot be named here. */
  readonly byteKeys: readonly Buffer[];
  readonly #variables: ReadonlyMap<string, { readonly value: unknown; readonly unread?: boolean }>;
  readonly #source: DocumentSource;
  readonly #limits: ResolvedPhpLimits;
  #record: Record<string, unknown> | undefined;

  private constructor(
    bytes: Buffer,
    handler: SessionHandler,
    source: DocumentSource,
    limits: ResolvedPhpLimits,
  ) {
    this.bytes = bytes;
    this.handler = handler;
    this.#source = source;
    this.#limits = limits;
    const named = new Map<string, { readonly value: unknown; readonly unread?: boolean }>();
    // PHP lets the last of repeated variables win, at the place of the first.
    const variables = source.kind === 'text' ? source.parts.variables : source.variables;
    const byteKeys: Buffer[] = [];
    for (const variable of variables) {
      if (typeof variable.name === 'object') byteKeys.push(variable.name);
      else named.set(String(variable.name), variable);
    }
    this.#variables = named;
    this.byteKeys = byteKeys;
    this.keys = [...named.keys()];
    if (source.kind === 'text' && source.parts.self !== undefined) source.parts.self.value = this.toObject();
  }

  /**
   * Decodes a session. No bytes at all are a session without variables.
   *
   * @param arrays `'later'` decodes each array of plain values when it is first asked for, because most requests look at few; what is
   * wrong anywhere in the bytes is found at once all the same. The bytes must stay as they are.
   * @throws StormlampError `ERR_PHP_SYNTAX` where PHP could not decode it either, `ERR_PHP_LIMIT` beyond `limits`,
   * `ERR_INVALID_OPTION`.
   */
  static decode(
    data: Uint8Array | string,
    handler: SessionHandler,
    limits?: PhpLimits,
    arrays: 'now' | 'later' = 'now',
  ): SessionDocument {
    const bytes = asBuffer(data);
    const resolved = resolvePhpLimits(limits);
    const format = checkSessionHandler(handler);
    if (arrays !== 'now' && arrays !== 'later') throw invalidOption('arrays', "'now' or 'later'", arrays);
    if (format === 'igbinary') {
      const variables = readIgbinarySession(bytes, resolved);
      return new SessionDocument(bytes, format, { kind: 'igbinary', variables }, resolved);
    }
    const parts = withSlotsIfNeeded('no-objects', (tracking) =>
      readSession(bytes, format, resolved, tracking, arrays),
    );
    return new SessionDocument(bytes, format, { kind: 'text', format, parts }, resolved);
  }

  /** Whether two places may hold the same object or reference, so that an edit of one is an edit of the other. */
  get mayShare(): boolean {
    return this.#source.kind === 'igbinary' || this.#source.parts.tracked;
  }

  /** Whether there is a variable of this name. */
  has(key: string): boolean {
    return this.#variables.has(key);
  }

  /** The value of a variable, undefined when there is none. */
  get(key: string): unknown {
    return this.#variables.get(key)?.value;
  }

  /** Whether a variable is an array that was not decoded yet, because nobody has asked for it. */
  isUnread(key: string): boolean {
    return this.#variables.get(key)?.unread === true;
  }

  /** All variables that can be named as one object, with the values that {@link unserialize} would give. */
  toObject(): Record<string, unknown> {
    if (this.#record === undefined) {
      this.#record = {};
      for (const [key, { value }] of this.#variables) setOwn(this.#record, key, value);
    }
    return this.#record;
  }

  /**
   * The encoded value of a variable as {@link serialize} writes it (in an igbinary session, too), undefined when there
   * is none: two variables with equal bytes are equal, in different sessions, too. References are numbered as if the
   * variable stood alone.
   */
  bytesOf(key: string): Buffer | undefined {
    if (!this.#variables.has(key)) return undefined;
    return this.plainBytesOf(key) ?? serialize(this.get(key), this.#limits);
  }

  /** The same where the session holds these very bytes, undefined where they would have to be encoded. */
  plainBytesOf(key: string): Buffer | undefined {
    const variable = this.#source.kind === 'text' ? this.#source.parts.byName.get(key) : undefined;
    if (variable === undefined || variable.references.length > 0) return undefined;
    return this.bytes.subarray(variable.start, variable.end);
  }

  /**
   * Whether storing `value` would leave the variable as it is. PHP may have written the same value in another way,
   * a float with more digits for instance; that is no change.
   *
   * @param effort is told how many bytes were encoded for it
   * @throws StormlampError `ERR_PHP_VALUE` or `ERR_PHP_LIMIT` when `value` cannot be stored at all.
   */
  holds(key: string, value: unknown, effort?: { bytes: number }): boolean {
    const stored = this.bytesOf(key);
    const bytes = serialize(value, this.#limits);
    if (effort !== undefined) effort.bytes += bytes.length;
    return (
      stored !== undefined && (bytes.equals(stored) || bytes.equals(serialize(this.get(key), this.#limits)))
    );
  }

  /**
   * The session with some variables changed. All others keep their very bytes, except that the numbers inside
   * references follow what moved; one that refers to something inside a changed variable is encoded anew. (igbinary
   * numbers strings through the whole session: there all variables are written again, as PHP does.) Without
   * effective changes the result is {@link SessionDocument.bytes}.
   *
   * @throws StormlampError `ERR_PHP_VALUE` for a value or a name that PHP could not read back, `ERR_PHP_LIMIT`.
   */
  encodeWith(changes: ReadonlyMap<string, VariableChange>): Buffer {
    const effective = new Map<string, VariableChange>();
    for (const [key, change] of changes) {
      if (change.kind === 'set' || this.#variables.has(key)) effective.set(key, change);
    }
    if (effective.size === 0) return this.bytes;
    const source = this.#source;
    return source.kind === 'text'
      ? spliceSession(this.bytes, source.format, source.parts, effective, this.#limits)
      : writeIgbinarySession(source.variables, effective, this.#limits);
  }
}
