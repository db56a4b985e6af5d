/** The summary of a long run as Markdown; pure. */
import type { ChaosMeta } from './chaos-meta.js';
import { table } from './chaos-report.js';

/** One scenario. */
export interface SummaryRow {
  /** The run that it belongs to. */
  readonly file: string;
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped' | 'pending';
  /** Why it failed, or was not run. */
  readonly why: string | undefined;
  readonly seconds: number;
  readonly meta: ChaosMeta;
}

const HEAD = ['run', 'scenario', 'servers', 'outcome', 'lost', 'doubled', 'unknown', 'took'];
const SERVER = /MariaDB [\d.]+|MySQL [\d.]+|memcached of the \w+ release/;

/** All scenarios that were run, and those that cannot be; `broken`: runs that ended before they began. What was not asked for is left out. */
export function summaryOf(rows: readonly SummaryRow[], broken: readonly string[] = []): string {
  const told = rows.filter(({ state, why }) => state === 'passed' || state === 'failed' || why !== undefined);
  const count = (state: SummaryRow['state']): number => told.filter((row) => row.state === state).length;
  const total = `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} cannot be run here`;
  return [
    '# Chaos report\n',
    `${total}${broken.length === 0 ? '' : `, ${broken.length} runs did not begin`}.\n`,
    ...broken.map((each) => `- ${each}\n`),
    `${table(HEAD, told.map(cellsOf))}\n`,
  ].join('\n');
}

function cellsOf({ file, name, state, why, seconds, meta }: SummaryRow): readonly (string | number)[] {
  const { servers = SERVER.exec(name)?.[0] ?? '', lost = '', doubled = '', unknown = '', seen } = meta;
  const outcome =
    state === 'failed'
      ? `FAILED: ${why ?? ''}`
      : state === 'skipped'
        ? `not run: ${why ?? ''}`
        : ['ok', ...(seen === undefined ? [] : [seen])].join(' ');
  return [
    file,
    name,
    servers,
    outcome,
    lost,
    doubled,
    unknown,
    state === 'skipped' ? '' : `${Math.round(seconds)} s`,
  ];
}
