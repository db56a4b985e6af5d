/** PHP tells `100` from `100.0`; JavaScript does not. This keeps the difference. */

/**
 * A PHP float whose value JavaScript would take for an integer: `100.0`, `-0.0`, `1.0E+25`.
 *
 * Floats with a fraction, `NAN` and the infinities are plain numbers, they cannot be mistaken.
 */
export class PhpFloat {
  /** The number itself. */
  readonly value: number;

  /** Makes a float of `value`; it is written as `d:…;` whatever it is. */
  constructor(value: number) {
    this.value = value;
  }

  /** The number, so that `float + 1` and `float < 5` work. */
  valueOf(): number {
    return this.value;
  }

  /** The number, for `JSON.stringify`. */
  toJSON(): number {
    return this.value;
  }
}
