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

/** A node that serves nothing for a time, as a process was told. */
interface Exclusion {
  readonly app: string;
  readonly node: string;
  readonly from: number;
  readonly to: number;
}

/**
 * What was wrong, as sentences: a scope that did not see its own write; a row that was refused, or that nobody wrote; a row that the
 * new primary has never had, shown while the process itself takes that one for the primary; an answer of a node that the process knew to be
 * diverged, or in need of new data.
 */
export function wrongReads(notes: readonly ReadNote[], context: ReadContext): readonly string[] {
  const { operations, stored, primary, events, ports, others } = context;
  const outcomes = new Map(operations.map(({ id, outcome }) => [id, outcome]));
  const excluded = exclusions(events);
  const moved = new Map<string, number>();
  for (const { event, app, at, detail } of events) {
    if (event !== 'primary-changed') continue;
    if (detail['after'] === primary) moved.set(app, at);
    else moved.delete(app);
  }
  return notes.flatMap((note): readonly string[] => {
    const { app, id, kind, began, ended, shown, wanted } = note;
    const node = ports.get(note.port) ?? `port ${note.port}`;
    const who = `the read ${id} of ${node} (${Math.round(began)} to ${Math.round(ended)})`;
    // What a failover has lost cannot be shown any more.
    const blind = kind === 'own' && shown.length < wanted && stored.has(id);
    const refused = shown.find((row) => outcomes.get(row) === 'refused');
    const foreign = shown.find((row) => !outcomes.has(row) && !others.has(row));
    const late = began > (moved.get(app) ?? Number.POSITIVE_INFINITY);
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
