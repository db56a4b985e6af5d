/** Values and names as SQL text, with the options that the nodes' connections have. */
import type { ConnectionOptions } from 'mysql2';
import { escapeIdText, escapeText, formatText } from './connection-factory.js';

/** mysql2's escaping with the options of one cluster. */
export class SqlText {
  readonly #stringifyObjects: boolean;
  readonly #timezone: string;

  /** Takes the options of the nodes' connections. */
  constructor(config: ConnectionOptions) {
    this.#stringifyObjects = config.stringifyObjects ?? false;
    this.#timezone = config.timezone ?? 'local';
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
