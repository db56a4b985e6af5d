/** The status for people: problems first, then the databases as a tree of who follows whom, then the sessions. */
import type { Paint } from '../paint.js';
import { setRows, type TextColumn } from '../text-table.js';
import { hangLine, wrapLine } from '../wrap-line.js';
import { problemsOf } from './status-problems.js';
import {
  type CacheNodeReport,
  type ChannelReport,
  type DatabaseReport,
  isFailed,
  type MysqlReport,
  type SessionPlaceReport,
  type SessionsReport,
  type StatusReport,
} from './status-report.js';

const DATABASE_COLUMNS: readonly TextColumn[] = [
  { title: 'MySQL' },
  { title: 'role' },
  { title: 'lag (age)', align: 'right' },
  // Only where a service was asked for its own.
  { title: 'breaker', dropAt: 1 },
  { title: 'server', dropAt: 3 },
  { title: 'look', align: 'right', dropAt: 2 },
];
const BREAKER = DATABASE_COLUMNS.findIndex(({ title }) => title === 'breaker');
const SESSION_COLUMNS: readonly TextColumn[] = [
  { title: 'sessions' },
  { title: 'state' },
  { title: 'items', align: 'right', dropAt: 1 },
  { title: 'memory', align: 'right', dropAt: 2 },
  { title: 'server', dropAt: 3 },
];
const CACHE_COLUMNS: readonly TextColumn[] = [
  { title: 'cache' },
  { title: 'state' },
  { title: 'server', dropAt: 1 },
];

/** The status as lines of at most `width` characters. */
export function statusText(report: StatusReport, width: number, paint: Paint): readonly string[] {
  const { mysql, sessions, cache = [] } = report;
  const problems = problemsOf(report);
  const lines = [
    problems.length === 0 ? paint('green', 'Everything is well.') : paint('bold', 'Problems:'),
    ...problems.flatMap((problem) =>
      hangLine(problem.replaceAll(/\s+/g, ' '), width, '  - ').map((line) => paint('red', line)),
    ),
  ];
  if (mysql !== undefined && !isFailed(mysql))
    lines.push('', ...databaseLines(mysql, report.service, width, paint));
  if (sessions !== undefined && !isFailed(sessions)) lines.push('', ...sessionLines(sessions, width, paint));
  if (cache.length > 0) lines.push('', ...cacheLines(cache, width, paint));
  return [
    ...lines,
    '',
    ...wrapLine(`Configured by ${report.config}`, width).map((line) => paint('dim', line)),
  ];
}

function databaseLines(
  mysql: MysqlReport,
  service: StatusReport['service'],
  width: number,
  paint: Paint,
): readonly string[] {
  const tree = treeOf(mysql.nodes);
  const rows = tree.map(({ node, branch }) => [
    `${branch}${node.node}`,
    node.up ? node.role : `down, was ${node.role}`,
    lagText(node),
    node.breaker ?? '-',
    node.version ?? '-',
    node.latencyMs === null ? '-' : `${node.latencyMs} ms`,
  ]);
  const hasBreakers = service?.error === null;
  const shown = <T>(texts: readonly T[]): readonly T[] =>
    texts.filter((_, at) => hasBreakers || at !== BREAKER);
  const table = setRows(shown(DATABASE_COLUMNS), rows.map(shown), width, '  ');
  const { failover, lastChange, epoch } = mysql;
  // The tree has room for one source of each node, and its lag is that of the slowest.
  const sources = tree.flatMap(({ node: { node, channels } }) =>
    channels.length < 2
      ? []
      : channels.flatMap((channel) => hangLine(channelText(node, channel), width, '  ', '    ')),
  );
  return [
    paint('dim', table.heading),
    ...table.rows.flatMap((lines, index) => {
      const node = tree[index]?.node;
      if (node?.up === false) return lines.map((line) => paint('red', line));
      return node?.role === 'primary' ? lines.map((line) => paint('green', line)) : lines;
    }),
    ...sources,
    ...(hasBreakers
      ? hangLine(`breakers: those of the service at ${service.page}`, width, '  ', '    ')
      : []),
    ...hangLine(
      `failover: mode ${failover.mode}, epoch ${epoch}${failover.failure === null ? '' : `, ${failover.failure}: ${failover.because}`}`,
      width,
      '  ',
      '    ',
    ),
    ...hangLine(
      `last change of the primary: ${lastChange === null ? 'none known' : `${lastChange.at} ${lastChange.message}`}`,
      width,
      '  ',
      '    ',
    ),
  ];
}

function channelText(node: string, { name, source, receiving, applying, lagMs }: ChannelReport): string {
  const runs = receiving === 'yes' && applying;
  const behind = lagMs === null ? 'lag unknown' : `${lagMs} ms behind`;
  const state = runs ? behind : `receiving: ${receiving}, applying: ${applying ? 'yes' : 'no'}`;
  return `${node}, channel ${name === '' ? '(default)' : name}: from ${source}, ${state}`;
}

function sessionLines(sessions: SessionsReport, width: number, paint: Paint): readonly string[] {
  const rows = sessions.places.map(({ node, standing, begunAnewAt, items, memory, version }) => [
    node,
    begunAnewAt === null ? standing : `${standing}, anew since ${begunAnewAt.replace('.000Z', 'Z')}`,
    items === null ? '-' : String(items),
    memory === null ? '-' : memoryText(memory),
    version === null ? '-' : `memcached ${version}`,
  ]);
  const table = setRows(SESSION_COLUMNS, rows, width, '  ');
  return [
    paint('dim', table.heading),
    ...table.rows.flatMap((lines, index) => {
      const place = sessions.places[index];
      if (place?.up === false) return lines.map((line) => paint('red', line));
      const isWell = place?.standing === 'filled' || place?.standing === 'healthy';
      return isWell ? lines : lines.map((line) => paint('yellow', line));
    }),
    `  ${sessions.copies} ${sessions.copies === 1 ? 'copy' : 'copies'} of every session`,
  ];
}

function memoryText({ bytes, limitBytes, evictions }: NonNullable<SessionPlaceReport['memory']>): string {
  const evicted = evictions === 0 ? '' : `, ${evictions} evicted`;
  return `${megabytes(bytes)} of ${megabytes(limitBytes)} MB${evicted}`;
}

function cacheLines(nodes: readonly CacheNodeReport[], width: number, paint: Paint): readonly string[] {
  const rows = nodes.map(({ node, up, version }) => [
    node,
    up ? 'answers' : 'down',
    version === null ? '-' : `memcached ${version}`,
  ]);
  const table = setRows(CACHE_COLUMNS, rows, width, '  ');
  return [
    paint('dim', table.heading),
    ...table.rows.flatMap((lines, at) => (nodes[at]?.up ? lines : lines.map((line) => paint('red', line)))),
  ];
}

/** The nodes with their followers below them; who follows nobody that is known stands at the edge. */
export function treeOf(
  nodes: readonly DatabaseReport[],
): readonly { readonly node: DatabaseReport; readonly branch: string }[] {
  const known = new Set(nodes.map(({ node }) => node));
  const below = (node: DatabaseReport): readonly DatabaseReport[] =>
    nodes.filter(({ upstream }) => upstream[0] === node.node);
  const isRoot = ({ upstream }: DatabaseReport): boolean =>
    upstream[0] === undefined || !known.has(upstream[0]);
  const shown = new Set<DatabaseReport>();
  const walk = (
    node: DatabaseReport,
    branch: string,
    indent: string,
  ): { node: DatabaseReport; branch: string }[] => {
    // Circular replication has no end, and may have no beginning.
    if (shown.has(node)) return [];
    shown.add(node);
    const followers = below(node).filter((each) => !shown.has(each));
    return [
      { node, branch },
      ...followers.flatMap((follower, index) => {
        const isLast = index === followers.length - 1;
        return walk(follower, `${indent}${isLast ? '└ ' : '├ '}`, `${indent}${isLast ? '  ' : '│ '}`);
      }),
    ];
  };
  const rooted = nodes.filter(isRoot).flatMap((node) => walk(node, '', ''));
  return [...rooted, ...nodes.flatMap((node) => walk(node, '', ''))];
}

function lagText({ up, role, lagMs, lagAgeMs }: DatabaseReport): string {
  if (!up || lagAgeMs === null) return '-';
  if (lagMs === null) return role === 'primary' ? '-' : 'unknown';
  return `${lagMs} ms (${lagAgeMs} ms)`;
}

function megabytes(bytes: number): string {
  return (bytes / 1_048_576).toFixed(bytes < 10_485_760 ? 1 : 0);
}
