/** Puts the answers for several statements, or for several readings of one text, together. */
import { answer, pinKinds } from './answer.js';
import type {
  AccessMode,
  Classification,
  PinTarget,
  Route,
  SessionSetting,
  StatementKind,
  TransactionEffect,
} from './classification.js';

const KINDS: readonly StatementKind[] = ['read', 'session', 'transaction', 'write', 'unknown'];
const ROUTES: readonly Route[] = ['replica', 'all', 'same', 'primary'];

/** The answer for statements that are executed one after the other. */
export function inSequence(parts: readonly Classification[]): Classification | undefined {
  const [first, ...rest] = parts;
  if (first === undefined || rest.length === 0) return first;
  const pinned = parts.flatMap((part) => part.pinned ?? []);
  const pins = pinKinds(pinned);
  // Which of them is the last word on a kind that is both pinned and released is not worth telling: it stays pinned.
  const unpinned = parts.flatMap((part) => part.unpinned ?? []).filter(({ pin }) => !pins.includes(pin));
  const unpins = [...new Set(parts.flatMap((part) => part.unpins))].filter((pin) => !pins.includes(pin));
  const route = sequenceRoute(parts);
  const decisive = parts.find((part) => part.route === route) ?? first;
  const transaction = lastEffect(parts);
  // A COMMIT that is not the last word has committed by the way.
  const commits = transaction !== 'commit' && parts.some((part) => part.transaction === 'commit');
  const asksFound = parts.find((part) => part.asksFound ?? part.setsFound)?.asksFound === true;
  const about = parts.filter((part) => part.transaction !== undefined || part.implicitCommit);
  return answer(
    // Which of several statements of a distributed transaction was done last, nobody could tell after a failure.
    parts.some(({ transaction }) => isXa(transaction))
      ? 'unknown'
      : strictest(KINDS, parts, ({ kind }) => kind),
    route,
    `of ${parts.length} statements: ${decisive.because}`,
    {
      transaction,
      implicitCommit: commits || parts.some((part) => part.implicitCommit),
      pinned,
      unpinned,
      unpins,
      settings: allSettings(parts),
      access: parts.findLast((part) => part.access !== undefined)?.access,
      several: true,
      endsFirst: endOf(first),
      administers: parts.some(({ administers }) => administers === true),
      calls: parts.some(({ calls }) => calls === true),
      keepsVariables: keepVariables(parts),
      chained: about.length > 0 && about.every(({ chained }) => chained === true),
      closes: parts.some(({ closes }) => closes === true),
      snapshots: parts.some(({ snapshots }) => snapshots === true),
      tellsNumber: parts.some(({ tellsNumber }) => tellsNumber === true),
      namesLocal: parts.some(({ namesLocal }) => namesLocal === true),
      database: parts.findLast(({ database }) => database !== undefined)?.database,
      asksBefore: asksFound || asksFirst(parts, 'asksBefore', ['session', 'transaction']),
      asksOutcome: asksFirst(parts, 'asksOutcome', ['session', 'transaction']),
      asksFound,
      setsFound: parts.some(({ setsFound }) => setsFound === true),
      // A write of them before may have got no id.
      asksWrite: parts.some(({ asksWrite }) => asksWrite === true),
      asksSequence: parts.some(({ asksSequence }) => asksSequence === true),
      showsRows: (route === 'same' || unpins.includes('found-rows')) && parts.some(showsRows),
      locksRows: parts.some(({ locksRows }) => locksRows === true),
      reserved: parts.some(({ reserved }) => reserved === true),
    },
  );
}

/** The answer for one text that may be read in several ways: the stricter one in everything. */
export function eitherWay(readings: readonly Classification[]): Classification | undefined {
  const [first, ...rest] = readings;
  if (first === undefined || rest.length === 0) return first;
  const route = sequenceRoute(readings);
  const decisive = readings.find((reading) => reading.route === route) ?? first;
  // What is not certain is unknown, and what is unknown goes to the primary.
  const isSame = readings.every(
    ({ kind, transaction, implicitCommit }) =>
      kind === first.kind && transaction === first.transaction && implicitCommit === first.implicitCommit,
  );
  const inAll = (key: 'unpins') =>
    first[key].filter((pin) => rest.every((reading) => reading[key].includes(pin)));
  const unpins = inAll('unpins');
  return answer(
    isSame ? first.kind : 'unknown',
    isSame ? route : 'primary',
    `the text can be read in ${readings.length} ways; in one ${decisive.because}`,
    {
      transaction: strictestEffect(readings),
      implicitCommit: readings.every((reading) => reading.implicitCommit),
      pinned: distinct(readings.flatMap((reading) => reading.pinned ?? [])),
      unpins,
      unpinned: (first.unpinned ?? []).filter(({ pin }) => unpins.includes(pin)),
      settings: allSettings(readings),
      access: strictestAccess(readings),
      several: readings.some(({ several }) => several === true),
      endsFirst: rest.every(({ endsFirst }) => endsFirst === first.endsFirst) ? first.endsFirst : undefined,
      administers: readings.some(({ administers }) => administers === true),
      calls: readings.some(({ calls }) => calls === true),
      keepsVariables: keepVariables(readings),
      chained: readings.every(({ chained }) => chained === true),
      closes: readings.some(({ closes }) => closes === true),
      snapshots: readings.some(({ snapshots }) => snapshots === true),
      tellsNumber: readings.some(({ tellsNumber }) => tellsNumber === true),
      namesLocal: readings.some(({ namesLocal }) => namesLocal === true),
      database: readings.find(({ database }) => database !== undefined)?.database,
      asksBefore: readings.some(({ asksBefore }) => asksBefore === true),
      asksOutcome: readings.some(({ asksOutcome }) => asksOutcome === true),
      asksFound: readings.some(({ asksFound }) => asksFound === true),
      setsFound: readings.every(({ setsFound }) => setsFound === true),
      asksWrite: readings.some(({ asksWrite }) => asksWrite === true),
      asksSequence: readings.some(({ asksSequence }) => asksSequence === true),
      showsRows: readings.some((reading) => reading.showsRows === true),
      locksRows: readings.some(({ locksRows }) => locksRows === true),
      reserved: readings.some(({ reserved }) => reserved === true),
    },
  );
}

/** How a statement ends an open transaction: what names the end cannot fail before it. */
function endOf({ transaction, chained, implicitCommit }: Classification): Classification['endsFirst'] {
  if (chained === true) return undefined;
  if (transaction === 'commit' || transaction === 'rollback' || transaction?.startsWith('begin') === true)
    return 'always';
  return implicitCommit ? 'once-done' : undefined;
}

/** Whether one of them asks about what was done before all of them: only statements of `kinds` leave that as it is. */
function asksFirst(
  parts: readonly Classification[],
  key: 'asksBefore' | 'asksOutcome',
  kinds: readonly StatementKind[],
): boolean {
  const asking = parts.findIndex((part) => part[key] === true);
  return asking >= 0 && parts.slice(0, asking).every(({ kind }) => kinds.includes(kind));
}

function showsRows({ kind, route, showsRows: also }: Classification): boolean {
  return also === true || (kind === 'read' && route !== 'same');
}

/** Whether some use user variables, and none sets any. */
function keepVariables(parts: readonly Classification[]): boolean {
  const using = parts.filter(({ pins }) => pins.includes('user-variable'));
  return using.length > 0 && using.every(({ keepsVariables }) => keepsVariables === true);
}

function isXa(transaction: TransactionEffect | undefined): boolean {
  return transaction?.startsWith('xa-') === true;
}

function strictest<T>(
  order: readonly T[],
  parts: readonly Classification[],
  of: (part: Classification) => T,
): T {
  return parts.map(of).reduce((a, b) => (order.indexOf(a) >= order.indexOf(b) ? a : b));
}

/** A setting is replayed as the text that made it, so a text that does more than that stays on the primary. */
function sequenceRoute(parts: readonly Classification[]): Route {
  const route = strictest(ROUTES, parts, (part) => part.route);
  const mixes = parts.some((part) => part.route === 'all') && parts.some((part) => part.route !== 'all');
  return mixes ? 'primary' : route;
}

function allSettings(parts: readonly Classification[]): SessionSetting[] {
  return [...new Set(parts.flatMap((part) => part.settings ?? []))];
}

function strictestAccess(readings: readonly Classification[]): AccessMode | undefined {
  const [first, ...rest] = readings.map(({ access }) => access);
  return rest.every((access) => access === first) ? first : 'read-write';
}

function distinct(targets: readonly PinTarget[]): PinTarget[] {
  // Names are told apart from none by what stands in front of them.
  const byKey = new Map(
    targets.map((each) => [`${each.pin} ${each.name === undefined ? '' : `=${each.name}`}`, each]),
  );
  return [...byKey.values()];
}

/** What a sequence leaves: autocommit that is off before anything else, then an open transaction, then its end. */
function lastEffect(parts: readonly Classification[]): TransactionEffect | undefined {
  let autocommit: TransactionEffect | undefined;
  let state: TransactionEffect | undefined;
  let minor: TransactionEffect | undefined;
  for (const { transaction, implicitCommit } of parts) {
    if (implicitCommit) state = undefined;
    if (transaction === 'autocommit-on' || transaction === 'autocommit-off') autocommit = transaction;
    else if (transaction === 'savepoint' || transaction === 'next-transaction') minor = transaction;
    else if (transaction !== undefined && !isXa(transaction)) {
      state = transaction;
      minor = undefined;
    }
  }
  if (autocommit === 'autocommit-off') return autocommit;
  if (minor === 'next-transaction') return minor;
  return state ?? autocommit ?? minor;
}

/** From the effect after which most has to stay on the primary to the one after which least has to. */
const EFFECTS: readonly (TransactionEffect | undefined)[] = [
  'xa-prepare',
  'xa-commit',
  'xa-rollback',
  'commit',
  'rollback',
  'autocommit-on',
  undefined,
  'savepoint',
  'begin-read-only',
  'next-transaction',
  'begin',
  'begin-read-write',
  'autocommit-off',
];

function strictestEffect(readings: readonly Classification[]): TransactionEffect | undefined {
  return strictest(EFFECTS, readings, (reading) => reading.transaction);
}
