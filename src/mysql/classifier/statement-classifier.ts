/** Tells what a text of SQL does and where it may run: a lexer with tables, linear in the text, that never throws. */
import { answer, anything } from './answer.js';
import type { Classification, ClassifyOptions } from './classification.js';
import { eitherWay, inSequence } from './combine.js';
import { Feature } from './features.js';
import type { KnownFunctions } from './function-calls.js';
import { classifyQuery, classifySelect } from './query-rule.js';
import { ReadOnlyFunctions } from './read-only-functions.js';
import { Doubt, likeliestReading, otherReading, type Reading } from './reading.js';
import type { StatementContext } from './statement-context.js';
import { StatementCursor } from './statement-cursor.js';
import { Notice, Token } from './statement-lexer.js';
import { ruleFor } from './statement-rules.js';
import { StatementScanner } from './statement-scan.js';
import { Word, WordFlag } from './words.js';

export type {
  Classification,
  ClassifyOptions,
  FunctionOptions,
  Pin,
  PinTarget,
  Route,
  StatementKind,
  TransactionEffect,
} from './classification.js';

/** More statements in one text are not looked at; a real text that long is a dump. */
const STATEMENT_LIMIT = 10_000;

/** So many characters are read in all the ways together in which a text may be read: a text of 16 MB in one of them, of 12 MB in two. */
const READ_LIMIT = 24 * 1_048_576;

const TOO_LONG = anything('it is too long to be read in every way in which a server may read it');
const TOO_MANY = anything('it has more statements than are looked at');
const EMPTY = answer('unknown', 'primary', 'there is no statement in it');
const BROKEN = answer('unknown', 'primary', 'a string, a name, a comment or a block has no end', {
  several: true,
});
const ODD = 'it has characters or comments that servers read differently';
const UNKNOWN = answer('unknown', 'primary', 'it is not a statement that is known', { several: true });

/**
 * Tells what `sql` does, where it may run, and what it leaves behind in its session.
 *
 * What is not recognised is `unknown` and goes to the primary; so does what pins. It reads the text once, or a small
 * fixed number of times when the options leave open how strings and comments are to be read. It never throws.
 */
export function classify(sql: string, options: ClassifyOptions = {}): Classification {
  return createClassifier(options)(sql);
}

/** A {@link classify} with its options already read, for the hot path. */
export function createClassifier(options: ClassifyOptions = {}): (sql: string) => Classification {
  const reading = likeliestReading(options);
  const functions = knownFunctions(options);
  return (sql) => classifyText(sql, reading, functions);
}

/** What may be called without being unknown, by these options. */
export function knownFunctions({ flavor, sqlMode, functions, variables }: ClassifyOptions): KnownFunctions {
  const onMysql = flavor === 'mariadb' ? 0 : 1;
  const onMariadb = flavor === 'mysql' ? 0 : 1;
  return {
    reads: onMysql * WordFlag.READS_ON_MYSQL + onMariadb * WordFlag.READS_ON_MARIADB,
    plain: onMysql * WordFlag.PLAIN_ON_MYSQL + onMariadb * WordFlag.PLAIN_ON_MARIADB,
    ignoresSpace: sqlMode?.some((mode) => mode.trim().toUpperCase() === 'IGNORE_SPACE') ?? false,
    readOnly: new ReadOnlyFunctions(functions?.readOnly),
    replayed: new Set(variables?.replayed?.map((name) => name.toLowerCase())),
  };
}

/** One reading of a text. */
interface Read {
  readonly answer: Classification;
  /** Whether every server refuses the text as a whole, so that it does nothing. */
  readonly isRefused: boolean;
  readonly doubts: number;
}

function classifyText(sql: string, reading: Reading, functions: KnownFunctions): Classification {
  const likeliest = read(sql, reading, functions);
  if (likeliest.doubts === 0) return likeliest.answer;
  const reads = [likeliest];
  const done = new Set([0]);
  let { doubts } = likeliest;
  if (isTooLong(sql, doubts)) return TOO_LONG;
  // A reading may raise doubts that another did not have, so the list grows while it is walked.
  for (let flips = 1; flips <= (Doubt.BACKSLASH | Doubt.DOUBLE_QUOTE | Doubt.COMMENT); flips += 1) {
    if (done.has(flips) || (flips & ~doubts) !== 0) continue;
    done.add(flips);
    const other = read(sql, otherReading(reading, flips), functions);
    reads.push(other);
    if ((other.doubts & ~doubts) !== 0) {
      doubts |= other.doubts;
      if (isTooLong(sql, doubts)) return TOO_LONG;
      flips = 0;
    }
  }
  const possible = reads.filter(({ isRefused }) => !isRefused);
  return eitherWay((possible.length === 0 ? reads : possible).map((each) => each.answer)) ?? EMPTY;
}

/** Whether the ways to read a text with these doubts, two for each of them, are more than are gone. */
function isTooLong({ length }: string, doubts: number): boolean {
  let ways = 1;
  for (let left = doubts; left > 0; left >>= 1) ways *= 1 + (left & 1);
  return length * ways > READ_LIMIT;
}

function read(sql: string, reading: Reading, functions: KnownFunctions): Read {
  const scan = new StatementScanner(sql, reading, functions);
  let first: Classification | undefined;
  let parts: Classification[] | undefined;
  let isBroken = false;
  while (scan.next()) {
    if ((scan.notices & Notice.BROKEN) !== 0) isBroken = true;
    if (scan.headStart < 0 && scan.nesting === 0 && scan.notices === 0) continue;
    const part = classifyScanned(sql, reading, functions, scan, true);
    if (first === undefined) first = part;
    else if (parts === undefined) parts = [first, part];
    else parts.push(part);
    if (parts !== undefined && parts.length > STATEMENT_LIMIT)
      return { answer: TOO_MANY, isRefused: false, doubts: scan.doubts };
  }
  return {
    answer: (parts === undefined ? first : inSequence(parts)) ?? EMPTY,
    isRefused: isBroken && parts === undefined,
    doubts: scan.doubts,
  };
}

function classifyScanned(
  text: string,
  reading: Reading,
  functions: KnownFunctions,
  scan: StatementScanner,
  mayHoldAnother: boolean,
): Classification {
  const { notices } = scan;
  if ((notices & Notice.BROKEN) !== 0 || scan.isUnfinished) return BROKEN;
  const context: StatementContext = {
    text,
    scan,
    replayed: functions.replayed,
    cursor: () => new StatementCursor(text, reading, scan.headStart, scan.end, scan.headInComment),
    inner: (position) => {
      if (!mayHoldAnother) return undefined;
      const inside = new StatementScanner(text, reading, functions, position);
      inside.next();
      return classifyScanned(text, reading, functions, inside, false);
    },
  };
  const given = withAsides(decide(context) ?? UNKNOWN, scan);
  if ((notices & Notice.ODD) !== 0) return strict(given, ODD);
  if ((notices & Notice.EXECUTABLE_COMMENT) !== 0)
    return strict(given, 'it has comments that some servers execute', given.kind);
  return given;
}

/** With what it asks about its connection, and names, whatever else it is; what stands in a program or a view asks when that is used. */
function withAsides(
  given: Classification,
  { features, isStored, isCompound, namesLocal }: StatementScanner,
): Classification {
  if (isStored || isCompound) return given;
  const asksBefore = (features & (Feature.LAST_STATEMENT | Feature.FOUND_ROWS)) !== 0;
  const asksWrite = (features & Feature.LAST_WRITE) !== 0;
  const asksSequence = (features & Feature.SEQUENCE_READ) !== 0;
  if (!asksBefore && !asksWrite && !asksSequence && !namesLocal) return given;
  return Object.freeze({
    ...given,
    ...(asksBefore ? { asksBefore: true as const } : {}),
    ...((features & Feature.LAST_STATEMENT) === 0 ? {} : { asksOutcome: true as const }),
    ...((features & Feature.FOUND_ROWS) === 0 ? {} : { asksFound: true as const }),
    ...(asksWrite ? { asksWrite: true as const } : {}),
    ...(asksSequence ? { asksSequence: true as const } : {}),
    ...(namesLocal ? { namesLocal: true as const } : {}),
  });
}

function strict(
  given: Classification,
  because: string,
  kind: Classification['kind'] = 'unknown',
): Classification {
  // What is read in another way may be several statements.
  const several = kind === 'unknown' ? { several: true as const } : {};
  return Object.freeze({ ...given, kind, route: 'primary', because, ...several });
}

function decide(context: StatementContext): Classification | undefined {
  const { scan, text } = context;
  switch (scan.head) {
    case Word.SELECT:
    case Word.WITH:
      return classifySelect(context);
    case Word.VALUES:
    case Word.TABLE:
      return classifyQuery(context);
    default:
  }
  if (scan.nesting > 0 || scan.headKind !== Token.WORD || scan.headEnd - scan.headStart > 16)
    return undefined;
  if (scan.isCompound) return undefined;
  return ruleFor(text.slice(scan.headStart, scan.headEnd).toLowerCase())?.(context);
}
