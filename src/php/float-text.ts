/** Numbers as PHP writes them with `serialize_precision=-1`, the default since PHP 7.1. */

/**
 * The text of a float inside `d:…;`.
 *
 * Both languages print the shortest digits that read back as the same number; they differ in when and how they use
 * an exponent. PHP does when the decimal point would stand more than 3 places before or more than 17 places behind
 * the first digit, and writes `1.0E+25` where JavaScript writes `1e+25`.
 */
export function floatText(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  if (Number.isNaN(value)) return 'NAN';
  if (value === Infinity) return 'INF';
  if (value === -Infinity) return '-INF';
  const magnitude = Math.abs(value);
  // Between these bounds both languages write plain digits.
  if (magnitude >= 1e-4 && magnitude < 1e17) return String(value);
  return withExponent(value);
}

function withExponent(value: number): string {
  const text = value.toExponential();
  const split = text.indexOf('e');
  const mantissa = text.slice(0, split);
  const exponent = Number(text.slice(split + 1));
  const sign = exponent < 0 ? '-' : '+';
  return `${mantissa.includes('.') ? mantissa : `${mantissa}.0`}E${sign}${Math.abs(exponent)}`;
}
