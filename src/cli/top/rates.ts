/** The arithmetic of `stormlamp top`: rates of counters, percentiles, and lines of small bars. */

/** Counters of one moment, by name. */
export type Counters = Readonly<Record<string, number>>;

/** How much each counter grew per second; null for one that fell, since its server was started anew. */
export function ratesOf(
  before: Counters,
  after: Counters,
  elapsedMs: number,
): Readonly<Record<string, number | null>> {
  return Object.fromEntries(
    Object.entries(after).map(([name, value]) => {
      const grown = value - (before[name] ?? value);
      return [name, grown < 0 || elapsedMs <= 0 ? null : (grown * 1_000) / elapsedMs];
    }),
  );
}

/** The smallest value that `share` (0 to 1) of all values do not exceed; null without values. */
export function percentile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null;
}

const BARS = '▁▂▃▄▅▆▇█';

/** The last `width` values as bars, the highest as high as can be; unknown values are gaps. */
export function sparkline(values: readonly (number | null)[], width: number): string {
  const shown = values.slice(-width);
  const top = Math.max(1, ...shown.map((value) => value ?? 0));
  return shown
    .map((value) => (value === null ? ' ' : BARS[Math.round((value / top) * (BARS.length - 1))]))
    .join('');
}
