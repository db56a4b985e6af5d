/** The results as text for a terminal and as a page of the documentation. */
import { readFileSync, writeFileSync } from 'node:fs';

const COLUMNS = [
  ['at once', 'atOnce'],
  ['peer', 'peer'],
  ['CPU µs/call', 'cpuUs'],
  ['half of the rounds', 'cpuSpread'],
  ['calls/s', 'perSecond'],
  ['p50 µs', 'p50Us'],
  ['p99 µs', 'p99Us'],
];
const GOALS = [
  ['goal', 'goal'],
  ['wanted', 'wanted'],
  ['measured', 'measured'],
  ['reached', 'reached'],
];
const MEMORY = [
  ['peer', 'peer'],
  ['heap MB when open', 'heapMbOpen'],
  ['heap MB at the end', 'heapMbEnd'],
];
const START = '<!-- figures: written by `npm run bench -- --save` -->';
const END = '<!-- end of figures -->';

/** All suites as Markdown tables, which read well in a terminal, too. */
export function tables(result) {
  const parts = [
    `Measured on ${result.date}: ${result.machine}, Node ${result.node}${result.quick ? ', quick form' : ''}.`,
  ];
  for (const suite of result.suites) {
    parts.push(`## ${suite.title}`);
    parts.push(
      [`${suite.rounds} rounds in turn, ${suite.seconds} s.`, ...suite.servers, ...suite.notes].join('\n'),
    );
    for (const work of new Set(suite.rows.map((row) => row.work))) {
      parts.push(`### ${work}`);
      parts.push(
        table(
          COLUMNS,
          suite.rows.filter((row) => row.work === work),
        ),
      );
    }
    if (suite.goals.length > 0) parts.push('### Goals', table(GOALS, suite.goals));
    if (suite.memory.length > 0) parts.push('### Memory', table(MEMORY, suite.memory));
  }
  return `${parts.join('\n\n')}\n`;
}

/** Replaces the figures in a page, and leaves what people wrote around them. */
export function page(result, file) {
  const text = readFileSync(file, 'utf8');
  const [from, to] = [text.indexOf(START), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${file} has no place for figures: ${START} … ${END}`);
  writeFileSync(file, `${text.slice(0, from)}${START}\n\n${tables(result)}\n${text.slice(to)}`);
}

function table(columns, rows) {
  const cells = [
    columns.map(([title]) => title),
    ...rows.map((row) => columns.map(([, field]) => show(row[field]))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index].length)));
  const line = (texts) => `| ${texts.map((text, index) => text.padEnd(widths[index])).join(' | ')} |`;
  return [
    line(cells[0]),
    `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`,
    ...cells.slice(1).map(line),
  ].join('\n');
}

function show(value) {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return String(value);
}
