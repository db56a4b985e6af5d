/** Remembers classifications by text, within bounds, at the cost of one map look-up per hit. */
import { readNumber, rejectUnknownOptions } from '../../common/option-reader.js';
import type { Classification, ClassifyOptions } from './classification.js';
import { createClassifier } from './statement-classifier.js';

/** Bounds of a {@link ClassificationCache}. */
export interface ClassificationCacheOptions {
  /** How many texts are kept. Default 2000; 0 keeps none. */
  readonly maxEntries?: number | undefined;
  /** Longer texts (in UTF-16 units) are classified anew each time. Default 4096. */
  readonly maxTextLength?: number | undefined;
}

/** The defaults of {@link ClassificationCacheOptions}. */
export const CLASSIFICATION_CACHE_DEFAULTS: Required<{
  readonly [Key in keyof ClassificationCacheOptions]: number;
}> = Object.freeze({ maxEntries: 2000, maxTextLength: 4096 });

interface Entry {
  readonly text: string;
  readonly classification: Classification;
  wasUsed: boolean;
}

/**
 * Classifies texts under one set of options and remembers the answers. When it is full, the entry that goes is found by
 * a hand that passes over entries used since it last came by (the clock algorithm), so texts that come only once do not
 * push out those that come all the time.
 */
export class ClassificationCache {
  readonly #classify: (sql: string) => Classification;
  readonly #maxEntries: number;
  readonly #maxTextLength: number;
  readonly #byText = new Map<string, Entry>();
  readonly #ring: Entry[] = [];
  #hand = 0;

  /**
   * Makes an empty cache; `review` has the last word about what is not remembered yet.
   *
   * @throws StormlampError `ERR_INVALID_OPTION` for impossible bounds.
   */
  constructor(
    classifyOptions: ClassifyOptions = {},
    options: ClassificationCacheOptions = {},
    review?: (sql: string, found: Classification) => Classification,
  ) {
    rejectUnknownOptions('options', options, Object.keys(CLASSIFICATION_CACHE_DEFAULTS));
    const { maxEntries, maxTextLength } = CLASSIFICATION_CACHE_DEFAULTS;
    const bounds = { min: 0, integer: true };
    this.#maxEntries = readNumber('options.maxEntries', options.maxEntries, maxEntries, bounds);
    this.#maxTextLength = readNumber('options.maxTextLength', options.maxTextLength, maxTextLength, bounds);
    const classify = createClassifier(classifyOptions);
    this.#classify = review === undefined ? classify : (sql) => review(sql, classify(sql));
  }

  /** How many texts are remembered. */
  get size(): number {
    return this.#ring.length;
  }

  /** What `classify` says of `sql`. */
  classify(sql: string): Classification {
    if (sql.length > this.#maxTextLength) return this.#classify(sql);
    const entry = this.#byText.get(sql);
    if (entry === undefined) return this.#add(sql);
    entry.wasUsed = true;
    return entry.classification;
  }

  /** Forgets everything. */
  clear(): void {
    this.#byText.clear();
    this.#ring.length = 0;
    this.#hand = 0;
  }

  #add(sql: string): Classification {
    const classification = this.#classify(sql);
    if (this.#maxEntries === 0) return classification;
    const text = ownCopy(sql);
    const entry: Entry = { text, classification, wasUsed: false };
    if (this.#ring.length < this.#maxEntries) this.#ring.push(entry);
    else this.#replace(entry);
    this.#byText.set(text, entry);
    return classification;
  }

  #replace(entry: Entry): void {
    for (;;) {
      const old = this.#ring[this.#hand];
      if (old === undefined) {
        this.#hand = 0;
        continue;
      }
      if (!old.wasUsed) {
        this.#byText.delete(old.text);
        this.#ring[this.#hand] = entry;
        this.#hand += 1;
        return;
      }
      old.wasUsed = false;
      this.#hand += 1;
    }
  }
}

/** A copy that does not keep alive the larger text that `text` may have been cut out of. */
function ownCopy(text: string): string {
  const copy = Buffer.from(text).toString();
  // A lone surrogate does not survive the way through bytes.
  return copy === text ? copy : text;
}
