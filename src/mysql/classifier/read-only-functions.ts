/** The stored functions that the user promises to only read. */
import { Character, isNameCharacter } from './characters.js';
import { NameTable } from './name-table.js';

/** No longer names are looked at. */
const NAME_LIMIT = 130;

/** Whether a function of some name is listed without a schema, and the schemas in which it is. */
interface Listed {
  isListedBare: boolean;
  readonly schemas: NameTable<true>;
}

/** A list of functions, each as `name` (in whatever schema) or `schema.name`, in any case. */
export class ReadOnlyFunctions {
  /** Whether nothing is listed. */
  readonly isEmpty: boolean;
  readonly #byName = new NameTable<Listed>();

  /** Takes the list over; names may be in backticks. */
  constructor(names: readonly string[] = []) {
    this.isEmpty = names.length === 0;
    for (const each of names) this.#add(each.replaceAll('`', ''));
  }

  /** Whether the function whose name, quoted or not, is at `start` is listed; `isQualified` when a point stands before it. */
  has(text: string, start: number, end: number, isQualified: boolean): boolean {
    if (end - start > NAME_LIMIT) return false;
    const quote = isQuote(text.charCodeAt(start)) ? 1 : 0;
    const listed = this.#byName.find(text, start + quote, end - quote);
    if (listed === undefined) return false;
    return listed.isListedBare || (isQualified && hasSchemaBefore(text, start - 1, listed.schemas));
  }

  #add(whole: string): void {
    const point = whole.lastIndexOf('.');
    const name = whole.slice(point + 1);
    const listed =
      this.#byName.get(name) ?? this.#byName.add(name, { isListedBare: false, schemas: new NameTable() });
    if (point < 0) listed.isListedBare = true;
    else listed.schemas.add(whole.slice(0, point), true);
  }
}

/** Whether a listed schema ends before the point at `point`; only where no blank is in between. */
function hasSchemaBefore(text: string, point: number, schemas: NameTable<true>): boolean {
  if (text.charCodeAt(point) !== Character.POINT) return false;
  const least = point - NAME_LIMIT;
  const quote = text.charCodeAt(point - 1);
  let start = point - 1;
  if (!isQuote(quote)) {
    while (start >= least && isNameCharacter(text.charCodeAt(start))) start -= 1;
    return schemas.find(text, start + 1, point) === true;
  }
  do start -= 1;
  while (start >= least && text.charCodeAt(start) !== quote);
  // A name with its own quote in it is doubled there, and is none that is looked for.
  if (start < least || text.charCodeAt(start - 1) === quote) return false;
  return schemas.find(text, start + 1, point - 1) === true;
}

function isQuote(code: number): boolean {
  return code === Character.BACKTICK || code === Character.DOUBLE_QUOTE;
}
