/** What a statement does to which tables, in a few words: few enough to group by. */

/** Longest summary, as the semantic conventions of OpenTelemetry say. */
const MAX_LENGTH = 255;

const NAME =
  '(?:`(?:[^`]|``)+`|[A-Za-z_$\\u0080-\\u2025\\u2027-\\uffff][\\w$\\u0080-\\u2025\\u2027-\\uffff]*)';
const TOKEN = new RegExp(`${NAME}(?: ?\\. ?${NAME})*|\\S`, 'g');
const IS_NAME = /^[`A-Za-z_$\u0080-\u2025\u2027-\uffff]/;

/** Statements that begin with the name of what they change; some words may stand before it. */
const WITH_TARGET = words('INSERT REPLACE UPDATE TRUNCATE CALL USE');
/** Statements in which a word says what kind of thing they change. */
const WITH_KIND = words('CREATE ALTER DROP RENAME LOAD');
const KINDS = words(
  'TABLE TABLES VIEW INDEX DATABASE SCHEMA PROCEDURE FUNCTION TRIGGER EVENT SEQUENCE USER ROLE SERVER TABLESPACE',
);
/** What these define is a text of its own. */
const PROGRAMS = words('PROCEDURE FUNCTION TRIGGER EVENT');
/** Statements of which only the first word is told. */
const ALONE = words(
  'ANALYZE BEGIN CHECK COMMIT DESCRIBE DO EXECUTE FLUSH GRANT HANDLER KILL LOCK OPTIMIZE PREPARE RELEASE REVOKE ROLLBACK ' +
    'SAVEPOINT SET SHOW START TABLE UNLOCK VALUES XA',
);
const BEFORE_TARGET = words(
  'LOW_PRIORITY DELAYED HIGH_PRIORITY IGNORE QUICK INTO TABLE IF NOT EXISTS LATERAL OJ',
);
const AFTER_TABLES = words(
  'WHERE GROUP HAVING ORDER LIMIT SET WINDOW FOR LOCK UNION EXCEPT INTERSECT VALUES INTO',
);

/**
 * The operations and tables of a statement whose values were replaced (a digest), in their order and as they are written:
 * `INSERT orders SELECT cart`. At most 255 characters; undefined when no word is known.
 */
export function querySummary(digest: string): string | undefined {
  const reader = new SummaryReader();
  const tokens = digest.match(TOKEN) ?? [];
  for (let at = 0; at < tokens.length; at += 1) {
    // A name that was cut off is none.
    if (tokens[at + 1] === '…' && at + 2 === tokens.length && digest.at(-2) !== ' ') break;
    reader.read(tokens[at] ?? '', tokens[at + 1] === '(');
  }
  return joined(reader.parts);
}

function joined(parts: readonly string[]): string | undefined {
  let summary = '';
  for (const part of parts) {
    if (summary.length + 1 + part.length > MAX_LENGTH) break;
    summary += `${summary === '' ? '' : ' '}${part}`;
  }
  return summary === '' ? undefined : summary;
}

/** A pair of brackets, or a whole statement. */
interface Frame {
  /** Whether `FROM` and `JOIN` name tables here: they do in a query, and not in `TRIM(x FROM y)`. */
  reads: boolean;
  /** Whether a comma is followed by another table. */
  inList: boolean;
}

class SummaryReader {
  readonly parts: string[] = [];
  #frames: Frame[] = [{ reads: false, inList: false }];
  /** `opening`: the first word is awaited; `kind`: the kind of thing; `target`: a name; `skip`: the next statement. */
  #awaits: 'nothing' | 'opening' | 'kind' | 'target' | 'skip' = 'opening';
  /** Whether what is changed may be followed by a bracket: elsewhere that is a function. */
  #mayHaveBracket = false;
  /** Whether the operation follows something: `WITH …`, `EXPLAIN …`. */
  #isPrefixed = false;
  #endsAtTarget = false;

  read(token: string, beforeBracket: boolean): void {
    if (token === ';') this.#begin();
    else if (this.#awaits === 'skip') return;
    else if (token === '(') this.#frames.push({ reads: this.#awaits === 'target', inList: false });
    else if (token === ')') this.#close();
    else if (token === ',' && this.#frame.inList) this.#awaits = 'target';
    else if (IS_NAME.test(token)) this.#word(token, token.toUpperCase(), beforeBracket);
    else if (this.#awaits === 'target') this.#awaits = 'nothing';
  }

  get #frame(): Frame {
    return this.#frames.at(-1) ?? { reads: false, inList: false };
  }

  #begin(): void {
    this.#frames = [{ reads: false, inList: false }];
    this.#awaits = 'opening';
    this.#isPrefixed = false;
    this.#mayHaveBracket = false;
    this.#endsAtTarget = false;
  }

  #close(): void {
    if (this.#frames.length > 1) this.#frames.pop();
    if (this.#awaits === 'target') this.#awaits = 'nothing';
  }

  #word(token: string, word: string, beforeBracket: boolean): void {
    const frame = this.#frame;
    if (word === 'SELECT') {
      this.parts.push(token);
      frame.reads = true;
      frame.inList = false;
      this.#awaits = 'nothing';
      this.#mayHaveBracket = false;
    } else if (this.#awaits === 'opening' || (this.#isPrefixed && this.#opensBehindPrefix(word))) {
      this.#open(token, word);
    } else if (this.#awaits === 'kind') {
      if (!KINDS.has(word)) return;
      this.parts.push(token);
      this.#awaits = 'target';
      this.#endsAtTarget = PROGRAMS.has(word);
    } else if (this.#awaits === 'target') {
      if (BEFORE_TARGET.has(word)) return;
      if (!beforeBracket || this.#mayHaveBracket) this.parts.push(token);
      this.#awaits = this.#endsAtTarget ? 'skip' : 'nothing';
      this.#mayHaveBracket = false;
    } else if (frame.reads) {
      if (word === 'FROM') frame.inList = true;
      if (word === 'FROM' || word === 'JOIN' || word === 'STRAIGHT_JOIN') this.#awaits = 'target';
      else if (AFTER_TABLES.has(word)) frame.inList = false;
    }
  }

  #opensBehindPrefix(word: string): boolean {
    return this.#frames.length === 1 && (word === 'DELETE' || WITH_TARGET.has(word));
  }

  #open(token: string, word: string): void {
    this.#isPrefixed = word === 'WITH' || word === 'EXPLAIN';
    this.#awaits = 'nothing';
    if (word === 'WITH') return;
    const isKnown = this.#isPrefixed || word === 'DELETE' || WITH_TARGET.has(word) || WITH_KIND.has(word);
    if (isKnown || ALONE.has(word)) this.parts.push(token);
    if (!isKnown) this.#awaits = 'skip';
    else if (WITH_KIND.has(word)) this.#awaits = 'kind';
    else if (WITH_TARGET.has(word)) this.#awaits = 'target';
    this.#mayHaveBracket = isKnown;
    if (word === 'DELETE' || word === 'UPDATE') {
      this.#frame.reads = true;
      this.#frame.inList = word === 'UPDATE';
      this.#mayHaveBracket = false;
    }
  }
}

function words(list: string): ReadonlySet<string> {
  return new Set(list.split(' '));
}
