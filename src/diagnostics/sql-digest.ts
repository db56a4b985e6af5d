/** A statement without its values: what may be shown. */

/** Longest digest where nothing else is said: a line. */
const LINE_LENGTH = 160;

/**
 * `sql` with every string, number and comment replaced, on one line of at most `maxLength` characters. When in doubt more is replaced than need be: a quotation
 * that does not end takes everything after it along.
 */
export function sqlDigest(sql: string, maxLength: number = LINE_LENGTH): string {
  let digest = '';
  for (let at = 0; at < sql.length && digest.length <= maxLength; ) {
    const [text, next] = piece(sql, at);
    digest += text;
    at = next;
  }
  const line = digest
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\?(?: ?, ?\?)+/g, '?, …')
    .trim();
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line;
}

/** What stands at `at`, as it may be shown, and where the next piece begins. */
function piece(sql: string, at: number): readonly [text: string, next: number] {
  const char = sql[at] ?? '';
  if (char === "'" || char === '"') return ['?', endOfQuote(sql, at, char)];
  if (char === '`') {
    const end = endOfQuote(sql, at, char);
    return [sql.slice(at, end), end];
  }
  if (char === '$') {
    // MySQL 9 quotes with `$$`, or with any word between the two.
    const [mark] = /^\$\w*\$/.exec(sql.slice(at, at + 70)) ?? [];
    if (mark !== undefined) return ['?', endOf(sql, mark, at + mark.length)];
  }
  if (char === '#' || isDashComment(sql, at)) return [' ', endOf(sql, '\n', at)];
  if (char === '/' && sql[at + 1] === '*') return [' ', endOfComment(sql, at)];
  if (char === '*' && sql[at + 1] === '/') return [' ', at + 2];
  const word = /[A-Za-z_@$\u0080-\uffff][\w@$.\u0080-\uffff]*/y;
  word.lastIndex = at;
  const name = word.exec(sql)?.[0];
  // X'…', B'…', N'…' and _utf8'…' are values, as is what follows them.
  if (name !== undefined) return [name, at + name.length];
  const number = /\.?\d[\w.]*/y;
  number.lastIndex = at;
  const value = number.exec(sql)?.[0];
  return value === undefined ? [char, at + 1] : ['?', at + value.length];
}

/** Two dashes begin a comment before white space, a control character or the end only: in `1--'x'` they are signs. */
function isDashComment(sql: string, at: number): boolean {
  if (sql[at] !== '-' || sql[at + 1] !== '-') return false;
  const code = at + 2 < sql.length ? sql.charCodeAt(at + 2) : 0;
  return code <= 0x20 || code === 0x7f;
}

/**
 * Where to go on behind the beginning of a comment at `at`. What stands in an executable one (`/*!50000 …`) is read as code, as
 * it is by some servers and not by others: with a quotation or a comment in it they do not agree on what follows, and nothing is
 * shown.
 */
function endOfComment(sql: string, at: number): number {
  const end = endOf(sql, '*/', at + 2);
  const [mark] = /^\/\*M?!\d*/.exec(sql.slice(at, at + 16)) ?? [];
  if (mark === undefined) return end;
  const code = at + mark.length;
  return /['"`$#]|\/\*|--/.test(sql.slice(code, end)) ? sql.length : code;
}

/**
 * Behind the quotation that begins at `at`; a doubled quote does not end it. Whether one behind a backslash does depends on the
 * server's `sql_mode`: then nothing after it is shown.
 */
function endOfQuote(sql: string, at: number, quote: string): number {
  for (let index = at + 1; index < sql.length; index += 1) {
    if (sql[index] === '\\' && quote !== '`') {
      if (sql[index + 1] === quote || sql[index + 1] === '\\') return sql.length;
    } else if (sql[index] === quote) {
      if (sql[index + 1] !== quote) return index + 1;
      index += 1;
    }
  }
  return sql.length;
}

function endOf(sql: string, mark: string, at: number): number {
  const end = sql.indexOf(mark, at);
  return end < 0 ? sql.length : end + mark.length;
}
