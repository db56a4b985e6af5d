/** Counts of durations by bucket, as Prometheus wants them. */

/** Upper bounds in seconds, as the semantic conventions recommend them for database calls. */
export const DURATION_BUCKETS: readonly number[] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

/** A count of one line of a histogram. */
export interface HistogramSample {
  /** `_bucket`, `_sum` or `_count`. */
  readonly suffix: '_bucket' | '_sum' | '_count';
  /** What it is about, `le` included. */
  readonly labels: Readonly<Record<string, string>>;
  /** The number. */
  readonly value: number;
}

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly counts: number[];
  sum: number;
  count: number;
}

/** One histogram with labels. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Series>();

  /** Makes an empty histogram with these upper bounds, in rising order. */
  constructor(bounds: readonly number[] = DURATION_BUCKETS) {
    this.#bounds = bounds;
  }

  /** Begins to count at 0, unless that was begun; the labels always have the same names in the same order. */
  begin(labels: Readonly<Record<string, string>>): void {
    this.#seriesOf(labels);
  }

  /** Adds one value; labels as above. */
  observe(labels: Readonly<Record<string, string>>, value: number): void {
    const series = this.#seriesOf(labels);
    series.sum += value;
    series.count += 1;
    const at = this.#bounds.findIndex((bound) => value <= bound);
    if (at >= 0) series.counts[at] = (series.counts[at] ?? 0) + 1;
  }

  /** All lines; the counts of buckets are cumulative. */
  samples(): readonly HistogramSample[] {
    return [...this.#series.values()].flatMap(({ labels, counts, sum, count }) => {
      let below = 0;
      const buckets = this.#bounds.map((bound, at): HistogramSample => {
        below += counts[at] ?? 0;
        return { suffix: '_bucket', labels: { ...labels, le: String(bound) }, value: below };
      });
      return [
        ...buckets,
        { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: count },
        { suffix: '_sum', labels, value: sum },
        { suffix: '_count', labels, value: count },
      ];
    });
  }

  #seriesOf(labels: Readonly<Record<string, string>>): Series {
    const key = Object.values(labels).join('\0');
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels, counts: this.#bounds.map(() => 0), sum: 0, count: 0 };
      this.#series.set(key, series);
    }
    return series;
  }
}
