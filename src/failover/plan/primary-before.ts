/** What is known of the primary that is to be replaced, or opened again, and of those before it; pure. */
import type { NodeId } from '../../common/node-address.js';
import { type HistoryWitness, inheritedBy, witnessesAmong } from '../survey/inherited-history.js';
import { idOf, type NodeSurvey, variableOf } from '../survey/node-survey.js';
import {
  NO_TRANSACTIONS,
  readTransactions,
  type TransactionSet,
  unionOf,
} from '../survey/transaction-set.js';
import type { LastSeen } from './expected-loss.js';
import type { PlanContext } from './plan-context.js';

/** What is known. */
export interface PrimaryBefore {
  /** What marks the transactions that it wrote: `server_uuid`s, or on MariaDB `server_id`s. */
  readonly ids: ReadonlySet<string>;
  /** What it was seen to have. */
  readonly had: TransactionSet;
  /**
   * MariaDB: by domain the number up to which it got its transactions from others. It may have been seeded there, and then its log
   * does not name all who wrote before.
   */
  readonly inherited: ReadonlyMap<string, bigint>;
  /** Whether it was seen while it followed nobody: after that it could only add what it wrote itself. */
  readonly isProof: boolean;
  /** How long ago it was seen, milliseconds; 0 when it answers. */
  readonly agoMs: number;
  /** Nodes that have been the primary, or may have been. */
  readonly primaries: ReadonlySet<NodeId>;
  /** Nodes of which it is known what marks what they write. */
  readonly identified: ReadonlySet<NodeId>;
  /** Nodes that have everything that it had when it became the primary. */
  readonly complete: ReadonlySet<NodeId>;
}

interface Look {
  readonly id: string | undefined;
  readonly had: TransactionSet;
  readonly applied: TransactionSet;
  /** Whether it may get more than it writes itself, or did not tell all that it has. */
  readonly isPartial: boolean;
}

/** Puts together what is known of `node`. `also`: one that was the primary as well, before the change that is to be finished. */
export function primaryBefore(
  context: PlanContext,
  node: NodeId,
  seen: LastSeen | undefined,
  also: NodeId = node,
): PrimaryBefore {
  const { surveys, primaries = new Set<NodeId>(), named, epoch, epochs } = context;
  const answering = surveys.get(node);
  const witnesses = witnessesAmong(surveys.values());
  const looks = [
    ...(answering === undefined ? [] : [lookAt(answering)]),
    ...(seen === undefined ? [] : [lookBefore(seen)]),
  ].map((look) => ({ ...look, had: unionOf(look.had, inheritedBy(look.had, look.id, witnesses)) }));
  const ids = [
    ...looks.map(({ id }) => id),
    idOf(surveys.get(also)),
    // As replicas know their sources: what is dead cannot be asked.
    ...[...surveys.values()].map(sourceIdOf),
  ];
  // Whom nobody sees here may have been the primary meanwhile.
  const isNamed = named === undefined || named === node || surveys.get(named)?.channels.length === 0;
  return {
    ids: new Set(ids.flatMap((id) => (id === undefined ? [] : [id]))),
    had: looks.map(({ had }) => had).reduce(unionOf, NO_TRANSACTIONS),
    inherited: lastByDomain(looks.map(({ applied }) => applied).reduce(unionOf, NO_TRANSACTIONS)),
    isProof: isNamed && looks.some(({ isPartial }) => !isPartial),
    agoMs: answering === undefined ? (seen?.agoMs ?? 0) : 0,
    primaries: new Set([...primaries, ...(named === undefined ? [] : [named])]),
    identified: new Set([...surveys.keys(), ...(looks.some(({ id }) => id !== undefined) ? [node] : [])]),
    // The epoch is the first thing that it wrote.
    complete: new Set(
      epoch > 0 && named === node ? [...epochs].flatMap(([each, at]) => (at === epoch ? [each] : [])) : [],
    ),
  };
}

/** A primary that does not answer, as a witness of the order in which transactions came; undefined where it proves nothing. */
export function witnessOf(seen: LastSeen | undefined): HistoryWitness | undefined {
  if (seen?.flavor !== 'mariadb') return undefined;
  const { id, had, isPartial } = lookBefore(seen);
  return { id, set: had, isPrimary: !isPartial };
}

function lookAt(survey: NodeSurvey): Look {
  const { version, executed, channels } = survey;
  const applied = readTransactions(version.flavor, variableOf(survey, 'gtid_slave_pos') ?? '');
  return {
    id: idOf(survey),
    had: executed,
    applied: applied ?? NO_TRANSACTIONS,
    isPartial: channels.length > 0 || executed.size === 0,
  };
}

function lookBefore({ flavor, gtids, id, applied = '', isPartial = false }: LastSeen): Look {
  const had = readTransactions(flavor, gtids) ?? NO_TRANSACTIONS;
  return {
    id: id?.toLowerCase(),
    had,
    applied: readTransactions(flavor, applied) ?? NO_TRANSACTIONS,
    isPartial: isPartial || had.size === 0,
  };
}

/** What marks the transactions of a replica's source; undefined where it never reached one. */
function sourceIdOf({ version, status }: NodeSurvey): string | undefined {
  const id: unknown =
    version.flavor === 'mysql'
      ? (status?.['Source_UUID'] ?? status?.['Master_UUID'])
      : status?.['Master_Server_Id'];
  const text = String(id ?? '').toLowerCase();
  return text === '' || text === '0' ? undefined : text;
}

function lastByDomain(set: TransactionSet): ReadonlyMap<string, bigint> {
  const last = new Map<string, bigint>();
  for (const [origin, intervals] of set) {
    const domain = origin.slice(0, origin.indexOf('-'));
    const end = intervals.at(-1)?.[1] ?? 0n;
    if (end > (last.get(domain) ?? -1n)) last.set(domain, end);
  }
  return last;
}
