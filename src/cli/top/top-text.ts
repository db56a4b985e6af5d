/** A picture of `stormlamp top` as lines of text. */
import type { Paint } from '../paint.js';
import { cut, setRows, type TextColumn } from '../text-table.js';
import { wrapLine } from '../wrap-line.js';
import { sparkline } from './rates.js';
import type { TopCache, TopReport } from './top-report.js';

/** What the times in a picture are those of. */
type Times = 'query' | 'probe';

/** Where there is no room for all of it, the newest looks of the lag tell more than how reads and writes share the statements. */
const barsIn = (width: number): number => (width >= 100 ? 20 : 8);
// The titles hold the usual width of what is below them, so that the columns stand still.
const databaseColumns = (bars: number, times: Times): readonly TextColumn[] => [
  { title: 'MySQL' },
  { title: 'role   ' },
  { title: 'queries/s', align: 'right' },
  { title: 'reads/s', align: 'right', dropAt: 5 },
  { title: 'writes/s', align: 'right', dropAt: 6 },
  { title: 'busy/open', align: 'right', dropAt: 4 },
  { title: `${times} p50/p95 ms`, align: 'right', dropAt: 2 },
  { title: ' lag ms', align: 'right' },
  { title: 'lag'.padEnd(bars), dropAt: 3 },
];
const CACHES: readonly TextColumn[] = [
  { title: 'sessions' },
  { title: 'state  ' },
  { title: '  gets/s', align: 'right' },
  { title: '  sets/s', align: 'right' },
  { title: '   items', align: 'right', dropAt: 1 },
  { title: 'evicted/s', align: 'right', dropAt: 2 },
  { title: 'repairs' },
];

/** The picture in lines of at most `width` characters. */
export function topText(report: TopReport, width: number, paint: Paint): readonly string[] {
  const lines = [cut(`stormlamp top  ${report.at}`, width)];
  if (report.databases.length > 0) {
    const bars = barsIn(width);
    // Of statements where a server counts them; those of the looks, which say how far it is, elsewhere.
    const times = report.databases.some(({ queryP50Ms }) => queryP50Ms !== null) ? 'query' : 'probe';
    const rows = report.databases.map((each) => [
      each.node,
      each.role,
      number(each.queriesPerSecond),
      number(each.readsPerSecond),
      each.appliedPerSecond === null
        ? number(each.writesPerSecond)
        : `${number(each.appliedPerSecond)} applied`,
      `${number(each.running)}/${number(each.connected)}`,
      times === 'query'
        ? `${number(each.queryP50Ms, 1)}/${number(each.queryP95Ms, 1)}`
        : `${number(each.probeP50Ms, 1)}/${number(each.probeP95Ms, 1)}`,
      number(each.lagMs),
      sparkline(each.lags, bars),
    ]);
    const table = setRows(databaseColumns(bars, times), rows, width);
    lines.push('', paint('dim', table.heading));
    for (const [index, row] of table.rows.entries()) {
      const role = report.databases[index]?.role;
      for (const line of row)
        lines.push(role === 'down' ? paint('red', line) : role === 'primary' ? paint('green', line) : line);
    }
  }
  if (report.caches.length > 0) {
    const rows = report.caches.map((each) => [
      each.node,
      each.standing,
      number(each.getsPerSecond),
      number(each.setsPerSecond),
      number(each.items),
      number(each.evictionsPerSecond),
      repairs(each),
    ]);
    const table = setRows(CACHES, rows, width);
    lines.push('', paint('dim', table.heading));
    for (const [index, row] of table.rows.entries())
      for (const line of row) lines.push(report.caches[index]?.up === false ? paint('red', line) : line);
  }
  const failed = [...report.databases, ...report.caches].filter(({ error }) => error !== null);
  if (failed.length > 0) lines.push('');
  for (const { node, error } of failed)
    for (const line of wrapLine(`${node}: ${error}`, width)) lines.push(paint('red', line));
  return lines;
}

/** How far the repair is that is under way, or how many items those got back that were done. */
function repairs({ repair, repaired }: TopCache): string {
  if (repair === null) return repaired === null ? '-' : `${repaired.items} done`;
  const { kind, copied, skipped, total } = repair;
  if (total === null) return kind;
  const share = total === 0 ? 1 : Math.min(1, (copied + skipped) / total);
  return `${kind} ${Math.floor(share * 100)} %`;
}

function number(value: number | null, digits = 0): string {
  return value === null ? '-' : value.toFixed(digits);
}
