/** What a program that reads binary logs puts out: made fit for another server, and counted, as proof that all of it came. */

/** What came. */
export interface SavedTally {
  /** MySQL: how many statements began, `BEGIN` among them; no transaction is without one. */
  statements: number;
  /** MariaDB: the last transaction number of each origin, `domain-server`. */
  readonly last: Map<string, bigint>;
}

/** Numbers that MariaDB's program gives every transaction. */
const NUMBER = /^\/\*M?!\d+ SET @@session\.(gtid_domain_id|gtid_seq_no|server_id)=(\d+)\*\/\/\*!\*\/;\r?\n?$/;
/** How both programs begin what they say of a statement. */
const STATEMENT = /^#\d{6} .*\tQuery\tthread_id=/;
/** None of these lines is as long as a line of data may be. */
const LINE_LIMIT = 400;

/** An empty tally. */
export function newTally(): SavedTally {
  return { statements: 0, last: new Map() };
}

/**
 * Passes on what the program puts out without MariaDB's numbers, and counts it in `tally`: with their numbers, a server would take
 * the transactions for old.
 */
export async function* withoutNumbers(
  bytes: AsyncIterable<Buffer>,
  tally: SavedTally,
): AsyncGenerator<Buffer> {
  const reader = new NumberReader(tally);
  let rest = Buffer.alloc(0);
  for await (const chunk of bytes) {
    rest = Buffer.concat([rest, chunk]);
    const kept: Buffer[] = [];
    let from = 0;
    for (let end = rest.indexOf(10, from); end >= 0; end = rest.indexOf(10, from)) {
      const line = rest.subarray(from, end + 1);
      from = end + 1;
      if (line.length > LINE_LIMIT || !reader.takes(line.toString('latin1'))) kept.push(line);
    }
    rest = rest.subarray(from);
    // A row may be one line of many megabytes; it is passed on as it comes.
    if (rest.length > LINE_LIMIT) {
      kept.push(rest);
      rest = Buffer.alloc(0);
    }
    if (kept.length > 0) yield Buffer.concat(kept);
  }
  if (rest.length > 0) yield rest;
}

/** Knows which transaction a number belongs to: domain and server are told only when they change. */
class NumberReader {
  readonly #tally: SavedTally;
  #domain = '';
  #server = '';

  constructor(tally: SavedTally) {
    this.#tally = tally;
  }

  /** Whether the line is a number, which is taken out. */
  takes(line: string): boolean {
    const [, name, value = ''] = NUMBER.exec(line) ?? [];
    if (name === undefined) {
      if (STATEMENT.test(line)) this.#tally.statements += 1;
      return false;
    }
    if (name === 'gtid_domain_id') this.#domain = value;
    else if (name === 'server_id') this.#server = value;
    else this.#tally.last.set(`${this.#domain}-${this.#server}`, BigInt(value));
    return true;
  }
}
