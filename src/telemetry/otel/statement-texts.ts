/** What may be told of the text of a statement, made once per text: a service has few of them, and sends them often. */
import { querySummary } from '../../diagnostics/query-summary.js';
import { sqlDigest } from '../../diagnostics/sql-digest.js';

/** A text as telemetry may have it. */
export interface StatementText {
  /** With every value replaced. */
  readonly text: string;
  /** Its operations and tables; undefined when it has no known word. */
  readonly summary: string | undefined;
}

/** A longer text is cut. */
const MAX_TEXT = 2_000;
/** Texts that are kept; when there are more, all are made again. */
const MAX_TEXTS = 500;
/** Longer texts are not kept: they have their values within, and do not come again. */
const MAX_KEPT = 5_000;

/** A bounded store of texts. */
export class StatementTexts {
  readonly #texts = new Map<string, StatementText>();

  /** What may be told of `sql`. */
  of(sql: string): StatementText {
    const kept = this.#texts.get(sql);
    if (kept !== undefined) return kept;
    const text = sqlDigest(sql, MAX_TEXT);
    const made = { text, summary: querySummary(text) };
    if (this.#texts.size >= MAX_TEXTS) this.#texts.clear();
    if (sql.length <= MAX_KEPT) this.#texts.set(sql, made);
    return made;
  }
}
