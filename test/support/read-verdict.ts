/** Whether every read that a process made while servers changed was shown what it may be shown. */
import type { AppEvent, Operation } from './app-fleet.js';
import type { ReadNote } from './read-journal.js';

/** What the reads are compared with. */
export interface ReadContext {
  readonly operations: readonly Operation[];
  /** What the primary has in the end. */
  readonly stored: { has(id: string): boolean };
  /** The primary in the end. */
  readonly primary: string;
  readonly events: readonly AppEvent[];
  /** The nodes by their own ports. */
  readonly ports: ReadonlyMap<number, string>;
  /** Rows that are of none of the processes. */
  readonly others: ReadonlySet<string>;
}

/** What a process knew for a time. */
interface Knowledge {
  readonly app: string;
  readonly from: number;
  readonly to: number;
}

/** A node that serves nothing for a time, as a process was told. */
interface Exclusion extends Knowledge {
  readonly node: string;
}

/**
 * What was wrong, as sentences: a scope that did not see its own write; a row that was refused, or that nobody wrote; a row that the
 * new primary has never had, shown while the process itself has the right to write there, or takes that one for the primary; an answer of
 * a node that the process knew to be diverged, or in need of new data.
 */
export function wrongReads(notes: readonly ReadNote[], context: ReadContext): readonly string[] {
  const { operations, stored, primary, events, ports, others } = context;
  const outcomes = new Map(operations.map(({ id, outcome }) => [id, outcome]));
  const excluded = exclusions(events);
  const moved = [
    ...times(events, primary, { 'primary-changed': 'after' }),
    ...times(events, primary, { 'lease-gained': 'node', 'lease-lost': '' }),
  ];
  return notes.flatMap((note): readonly string[] => {
    const { app, id, kind, began, ended, shown, wanted } = note;
    const node = ports.get(note.port) ?? `port ${note.port}`;
    const who = `the read ${id} of ${node} (${Math.round(began)} to ${Math.round(ended)})`;
    // What a failover has lost cannot be shown any more.
    const blind = kind === 'own' && shown.length < wanted && stored.has(id);
    const refused = shown.find((row) => outcomes.get(row) === 'refused');
    const foreign = shown.find((row) => !outcomes.has(row) && !others.has(row));
    const late = moved.some((each) => each.app === app && began > each.from && began < each.to);
    const gone = late ? shown.find((row) => outcomes.has(row) && !stored.has(row)) : undefined;
    const banned = excluded.find(
      (each) => each.app === app && each.node === node && began > each.from && ended < each.to,
    );
    return [
      ...(blind ? [`${who} was shown ${shown.length} of the ${wanted} rows that its scope had written`] : []),
      ...(refused === undefined ? [] : [`${who} was shown ${refused}, which was refused`]),
      ...(foreign === undefined ? [] : [`${who} was shown ${foreign}, which nobody wrote`]),
      ...(gone === undefined
        ? []
        : [`${who} was shown ${gone}, which ${primary} never had, though ${app} took it for the primary`]),
      ...(banned === undefined ? [] : [`${who} was answered, though ${app} knew that it serves nothing`]),
    ];
  });
}

/** When each process knew `primary` as the primary by these events, and where each of them names the node that is it now. */
function times(
  events: readonly AppEvent[],
  primary: string,
  names: Readonly<Record<string, string>>,
): readonly Knowledge[] {
  const told = events.filter(({ event }) => names[event] !== undefined);
  return told
    .filter(({ event, detail }) => detail[names[event] ?? ''] === primary)
    .map(({ app, at: from }) => {
      const next = told.find((each) => each.app === app && each.at > from);
      return { app, from, to: next?.at ?? Number.POSITIVE_INFINITY };
    });
}

/** From the moment when a process tells that a node serves nothing until anybody has made it follow, or the primary. */
function exclusions(events: readonly AppEvent[]): readonly Exclusion[] {
  return events
    .filter(({ event }) => event === 'node-diverged' || event === 'rebuild-needed')
    .map(({ app, at, detail }) => {
      const node = String(detail['node']);
      const back = events.find(
        (each) =>
          each.event === 'step' &&
          each.at > at &&
          each.detail['phase'] === 'started' &&
          /^(follow-0|take-writes|start-replication)@/.test(String(each.detail['id'])) &&
          String(each.detail['id']).endsWith(`@${node}`),
      );
      return { app, node, from: at, to: back?.at ?? Number.POSITIVE_INFINITY };
    });
}
