/** A session as PHP stored it, in which single variables can be changed while all other bytes stay as they are. */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';
import { setOwn } from './container-frame.js';
import { type PhpLimits, type ResolvedPhpLimits, resolvePhpLimits } from './php-limits.js';
import { serialize } from './serialize.js';
import { checkSessionHandler, type SessionHandler } from './session-handler.js';
import { readSession, type SessionParts, type SessionVariable } from './session-reader.js';
import { spliceSession } from './session-splice.js';
import { asBuffer } from './unserialize.js';
import { withSlotsIfNeeded } from './value-reader.js';

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
  readonly #variables: ReadonlyMap<string, SessionVariable>;
  readonly #parts: SessionParts;
  readonly #limits: ResolvedPhpLimits;
  #record: Record<string, unknown> | undefined;

  private constructor(
    bytes: Buffer,
    handler: SessionHandler,
    parts: SessionParts,
    limits: ResolvedPhpLimits,
  ) {
    this.bytes = bytes;
    this.handler = handler;
    this.#parts = parts;
    this.#limits = limits;
    const variables = new Map<string, SessionVariable>();
    // PHP lets the last of repeated variables win, at the place of the first.
    for (const variable of parts.variables) {
      if (typeof variable.name !== 'object') variables.set(String(variable.name), variable);
    }
    this.#variables = variables;
    this.keys = [...variables.keys()];
    if (parts.self !== undefined) parts.self.value = this.toObject();
  }

  /**
   * Decodes a session. No bytes at all are a session without variables.
   *
   * @throws StormlampError `ERR_PHP_SYNTAX` where PHP could not decode it either, `ERR_PHP_LIMIT` beyond `limits`.
   */
  static decode(data: Uint8Array | string, handler: SessionHandler, limits?: PhpLimits): SessionDocument {
    const bytes = asBuffer(data);
    const resolved = resolvePhpLimits(limits);
    const format = checkSessionHandler(handler);
    if (format === 'igbinary') {
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        'The igbinary format is not supported yet; use another handler',
      );
    }
    const parts = withSlotsIfNeeded('no-objects', (tracking) =>
      readSession(bytes, format, resolved, tracking),
    );
    return new SessionDocument(bytes, format, parts, resolved);
  }

  /** Whether there is a variable of this name. */
  has(key: string): boolean {
    return this.#variables.has(key);
  }

  /** The value of a variable, undefined when there is none. */
  get(key: string): unknown {
    return this.#variables.get(key)?.value;
  }

  /** All variables as one object, with the values that {@link unserialize} would give. */
  toObject(): Record<string, unknown> {
    if (this.#record === undefined) {
      this.#record = {};
      for (const [key, { value }] of this.#variables) setOwn(this.#record, key, value);
    }
    return this.#record;
  }

  /**
   * The encoded value of a variable, undefined when there is none: two variables with equal bytes are equal, in
   * different sessions, too. References are numbered as if the variable stood alone.
   */
  bytesOf(key: string): Buffer | undefined {
    const variable = this.#variables.get(key);
    if (variable === undefined) return undefined;
    if (variable.references.length > 0) return serialize(variable.value, this.#limits);
    return this.bytes.subarray(variable.start, variable.end);
  }

  /**
   * Whether storing `value` would leave the variable as it is. PHP may have written the same value in another way,
   * a float with more digits for instance; that is no change.
   *
   * @throws StormlampError `ERR_PHP_VALUE` or `ERR_PHP_LIMIT` when `value` cannot be stored at all.
   */
  holds(key: string, value: unknown): boolean {
    const stored = this.bytesOf(key);
    const bytes = serialize(value, this.#limits);
    return (
      stored !== undefined && (bytes.equals(stored) || bytes.equals(serialize(this.get(key), this.#limits)))
    );
  }

  /**
   * The session with some variables changed. All others keep their very bytes, except that the numbers inside
   * references follow what moved; one that refers to something inside a changed variable is encoded anew. Without
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
    return spliceSession(
      this.bytes,
      this.handler as 'php',
      this.#parts,
      this.#variables,
      effective,
      this.#limits,
    );
  }
}
