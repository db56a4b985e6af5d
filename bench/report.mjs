/** The results as text for a terminal and as a page of the documentation. */
import { readFileSync, writeFileSync } from 'node:fs';

const COLUMNS = [
  ['at once', 'atOnce'],
  ['peer', 'peer'],
  ['CPU µs/call', 'cpuUs'],
  ['half of the rounds', 'cpuSpread'],
  ['waits µs/call', 'waitUs'],
  ['taken off/call', 'taken'],
  ['calls/s', 'perSecond'],
  ['p50 µs', 'p50Us'],
  ['p99 µs', 'p99Us'],
];
const OPTIONAL = new Set(['waitUs', 'taken']);
const GOALS = [
  ['goal', 'goal'],
  ['wanted', 'wanted'],
  ['measured', 'measured'],
  ['half of the rounds', 'spread'],
  ['by CPU', 'byCpu'],
  ['reached', 'reached'],
];
const MEMORY = [
  ['peer', 'peer'],
  ['heap MB when open', 'heapMbOpen'],
  ['heap MB at the end', 'heapMbEnd'],
];
const START = '<!-- figures: written by `npm run bench -- --save` -->';
const END = '<!-- end of figures -->';

/** All suites as Markdown tables, which read well in a terminal, too; the goals of all of them come first. */
export function tables(result) {
  const parts = [`Measured on ${result.machine}, Node ${result.node}${result.quick ? ', quick form' : ''}.`];
  if (result.missing.length > 0) parts.push(`Not measured: ${result.missing.join(', ')}.`);
  const goals = result.suites.flatMap((suite) => suite.goals);
  if (goals.length > 0) {
    const reached = goals.filter((goal) => goal.reached === true).length;
    parts.push('## Goals', `${reached} of ${goals.length} reached.`, table(GOALS, goals));
  }
  for (const suite of result.suites) parts.push(...suiteParts(suite));
  return `${parts.join('\n\n')}\n`;
}

function suiteParts(suite) {
  const rounds = suite.rounds > 0 ? `${suite.rounds} rounds in turn, ` : '';
  const run = [
    `${rounds}${suite.seconds} s, on ${suite.date}`,
    ...(suite.commit === null ? [] : [`at ${suite.commit}`]),
    ...(suite.load === null ? [] : [`load ${suite.load} at the end`]),
  ];
  const parts = [`## ${suite.title}`, [`${run.join(', ')}.`, ...suite.notes].join('\n\n')];
  for (const work of new Set(suite.rows.map((row) => row.work))) {
    const rows = suite.rows.filter((row) => row.work === work);
    parts.push(`### ${work}`, table(COLUMNS, rows));
  }
  for (const { title, rows } of suite.tables) {
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    parts.push(
      `### ${title}`,
      table(
        columns.map((name) => [name, name]),
        rows,
      ),
    );
  }
  if (suite.memory.length > 0) parts.push('### Memory', table(MEMORY, suite.memory));
  return parts;
}

/** Replaces the figures in a page, and leaves what people wrote around them. */
export function page(result, file) {
  const text = readFileSync(file, 'utf8');
  const [from, to] = [text.indexOf(START), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`${file} has no place for figures: ${START} … ${END}`);
  writeFileSync(file, `${text.slice(0, from)}${START}\n\n${tables(result)}\n${text.slice(to)}`);
}

function table(all, rows) {
  // What a suite did not look at is no column of it.
  const columns = all.filter(
    ([, field]) => !OPTIONAL.has(field) || rows.some((row) => row[field] !== undefined),
  );
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
