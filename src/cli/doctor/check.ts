/** One thing that the doctor looked at. */
export interface Check {
  /** What it belongs to. */
  readonly area: 'node' | 'config' | 'mysql' | 'failover' | 'sessions' | 'cache' | 'php';
  /** The node, mount or program that it is about; null when it is about everything. */
  readonly subject: string | null;
  /** What was looked at. */
  readonly what: string;
  /** `warning`: it works, and may not in an emergency. `skipped`: it could not be looked at, and `found` says why. */
  readonly state: 'ok' | 'warning' | 'failed' | 'skipped';
  /** What is there. */
  readonly found: string;
  /** What should be there; '' when it is. */
  readonly expected: string;
  /** What to do; '' when there is nothing to do. */
  readonly fix: string;
}

/** Makes the checks of one area. */
export class Checks {
  readonly #area: Check['area'];
  readonly #list: Check[] = [];

  /** @param area what they belong to */
  constructor(area: Check['area']) {
    this.#area = area;
  }

  /** All so far. */
  get list(): readonly Check[] {
    return this.#list;
  }

  /** Something is as it should be. */
  ok(subject: string | null, what: string, found: string): void {
    this.#add({ subject, what, state: 'ok', found, expected: '', fix: '' });
  }

  /** Something is not as it should be. */
  bad(
    state: 'warning' | 'failed',
    subject: string | null,
    what: string,
    details: Pick<Check, 'found' | 'expected' | 'fix'>,
  ): void {
    this.#add({ subject, what, state, ...details });
  }

  /** {@link Checks.ok} when `isGood`, else {@link Checks.bad}. */
  expect(
    isGood: boolean,
    otherwise: 'warning' | 'failed',
    subject: string | null,
    what: string,
    details: Pick<Check, 'found' | 'expected' | 'fix'>,
  ): void {
    if (isGood) this.ok(subject, what, details.found);
    else this.bad(otherwise, subject, what, details);
  }

  /** Something could not be looked at. */
  skip(subject: string | null, what: string, because: string): void {
    this.#add({ subject, what, state: 'skipped', found: because, expected: '', fix: '' });
  }

  #add(check: Omit<Check, 'area'>): void {
    this.#list.push({ area: this.#area, ...check });
  }
}
