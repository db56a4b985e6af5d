/** Prometheus's text format, version 0.0.4. */

/** One metric as it is written. */
export interface ExposedMetric {
  /** Its name. */
  readonly name: string;
  /** What it means. */
  readonly help: string;
  /** What it is. */
  readonly type: 'gauge' | 'counter' | 'histogram';
  /** Its lines; `name` where a line has another name than the metric. */
  readonly samples: readonly {
    readonly name?: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

/** The text of some metrics; those without a line are left out. */
export function expositionOf(metrics: readonly ExposedMetric[]): string {
  return metrics
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, type, samples }) => {
      const lines = samples.map(
        (line) => `${line.name ?? name}${labelText(line.labels)} ${number(line.value)}`,
      );
      return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
    })
    .join('');
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function number(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
