/** What a metric is, before it is Prometheus's or OpenTelemetry's. */
import type { AnyCluster } from '../cluster-readiness.js';

/** One number with what it is about. */
export interface Sample {
  /** What it is about, by Prometheus's label names. */
  readonly labels: Readonly<Record<string, string>>;
  /** The number. */
  readonly value: number;
}

/** The numbers of `metric` now; of a cluster that was closed only what was counted is left. */
export function samplesOf(metric: Metric, cluster: AnyCluster): readonly Sample[] {
  return cluster.closed && metric.type === 'gauge' ? [] : metric.read(cluster);
}

/** One metric of a cluster. */
export interface Metric {
  /** The name in Prometheus; a counter's ends in `_total`. */
  readonly name: string;
  /** The name in OpenTelemetry. */
  readonly instrument: string;
  /** What it means, in a sentence. */
  readonly help: string;
  /** Whether it only grows. */
  readonly type: 'gauge' | 'counter';
  /** Whether the values of several processes add up to something. */
  readonly additive?: boolean;
  /** Which of the values of several processes tells, where they do not add up; left out where their average does. */
  readonly across?: 'min' | 'max';
  /** The unit in OpenTelemetry's notation (UCUM). */
  readonly unit: string;
  /** OpenTelemetry's names of labels that are not `stormlamp.<label>`. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** What it is now. Asks no server. */
  read(cluster: AnyCluster): readonly Sample[];
}
