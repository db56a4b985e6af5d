/** Values and names as SQL text, with the options that the nodes' connections have. */
import type { ConnectionOptions } from 'mysql2';
import {
  createFormatter,
  escapeIdText,
  escapeText,
  formatText,
  type TextFormatter,
} from './connection-factory.js';
import { holdsRawSql } from './raw-values.js';

/** Texts about the session itself, of which the values say what they do. */
const ABOUT_SESSION = /^\s*(?:set|use)\s/i;

/** A text into which values were put. */
export interface FilledText {
  /**
   * What has to be looked at to know where it may run: with its values when some of them are SQL, when `queryFormat` may make
   * anything of them, and where they name what is set.
   */
  readonly judged: string;
  /** What goes to the server; undefined when it gets the values as well, or only the driver can make it, because of `queryFormat`. */
  readonly sent: string | undefined;
}

/** mysql2's escaping with the options of one cluster. */
export class SqlText {
  readonly #stringifyObjects: boolean;
  readonly #timezone: string;
  readonly #rewrites: boolean;
  readonly #keepsValues: boolean;
  readonly #formatter: TextFormatter;

  /** Takes the options of the nodes' connections; with `keepsValues`, these are sent beside the text. */
  constructor(config: ConnectionOptions, keepsValues = false) {
    this.#keepsValues = keepsValues;
    this.#stringifyObjects = config.stringifyObjects ?? false;
    this.#timezone = config.timezone ?? 'local';
    this.#rewrites = config.queryFormat !== undefined;
    this.#formatter = createFormatter(config);
  }

  /**
   * Puts values into a text, once and at the moment of the call, as the driver does: whatever becomes of an array of values
   * later, what is judged, sent, sent again and repeated on another connection is the same.
   *
   * Throws what the driver throws about the values.
   */
  fill(sql: string, values: unknown, namedPlaceholders: boolean | undefined): FilledText {
    const sent = this.#formatter(sql, values, namedPlaceholders);
    // The driver would rewrite a rewritten text once more.
    if (this.#rewrites) return { judged: sent, sent: undefined };
    const isOpen = holdsRawSql(values) || (ABOUT_SESSION.test(sql) && sql.includes('?'));
    return { judged: isOpen ? sent : sql, sent: this.#keepsValues ? undefined : sent };
  }

  /** A value as SQL text. */
  escape(value: unknown): string {
    return escapeText(value, this.#stringifyObjects, this.#timezone);
  }

  /** A name, or several, as SQL text. */
  escapeId(name: string | string[]): string {
    return escapeIdText(name);
  }

  /** A text with its values put in for `?` and `??`. */
  format(sql: string, values?: unknown): string {
    return formatText(sql, values, this.#stringifyObjects, this.#timezone);
  }
}
