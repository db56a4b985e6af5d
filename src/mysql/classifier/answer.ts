/** Builds classifications: immutable, small, and the same object for the commonest answers. */
import type {
  AccessMode,
  Classification,
  Pin,
  PinTarget,
  Route,
  SessionSetting,
  StatementKind,
  TransactionEffect,
} from './classification.js';

const NONE: readonly never[] = Object.freeze([]);

/** The parts of an answer that most statements do not have. */
export interface AnswerDetails {
  /** The effect on the transaction. */
  readonly transaction?: TransactionEffect | undefined;
  /** Whether an open transaction is committed. */
  readonly implicitCommit?: boolean;
  /** What is pinned. */
  readonly pinned?: readonly PinTarget[] | undefined;
  /** What is released. */
  readonly unpinned?: readonly PinTarget[] | undefined;
  /** What `unpins` says, when it is not the kinds of `unpinned`. */
  readonly unpins?: readonly Pin[];
  /** The settings to replay. */
  readonly settings?: readonly SessionSetting[] | undefined;
  /** The access mode that the next transaction gets. */
  readonly access?: AccessMode | undefined;
  /** Whether it may stop half way with a part of it done. */
  readonly several?: boolean;
  /** Whether the first of several ends the open transaction. */
  readonly endsFirst?: Classification['endsFirst'] | undefined;
  /** Whether it changes the server itself. */
  readonly administers?: boolean;
  /** Whether it is a write that calls a function which may do anything. */
  readonly calls?: boolean;
  /** Whether it uses user variables without setting any. */
  readonly keepsVariables?: boolean;
  /** Whether the transaction that it begins is like the one that it ends. */
  readonly chained?: boolean;
  /** Whether the server closes the connection after it. */
  readonly closes?: boolean;
  /** Whether the transaction that it begins shows what is there now. */
  readonly snapshots?: boolean;
  /** Whether it tells the number of its server session. */
  readonly tellsNumber?: boolean;
  /** Whether it asks about its connection and shows the rows of a table as well. */
  readonly showsRows?: boolean;
  /** Whether it asks about the statement before. */
  readonly asksBefore?: boolean;
  /** Whether it asks what the statement before did. */
  readonly asksOutcome?: boolean;
  /** Whether it asks how many rows were found. */
  readonly asksFound?: boolean;
  /** Whether every server counts the rows that it finds. */
  readonly setsFound?: boolean;
  /** Whether it asks for what the last write left. */
  readonly asksWrite?: boolean;
  /** Whether it asks for what a sequence gave last. */
  readonly asksSequence?: boolean;
  /** Whether it names what may be a table of the server's own. */
  readonly namesLocal?: boolean;
  /** The database that it chooses. */
  readonly database?: string | undefined;
  /** Whether it locks the rows that it reads. */
  readonly locksRows?: boolean;
  /** Whether it names a savepoint that is kept for us. */
  readonly reserved?: boolean;
}

/** An answer; pins follow from what is pinned. */
export function answer(
  kind: StatementKind,
  route: Route,
  because: string,
  details: AnswerDetails = {},
): Classification {
  const { transaction, pinned = NONE, unpinned = NONE, settings = NONE, access } = details;
  return Object.freeze({
    kind,
    route,
    ...(transaction === undefined ? {} : { transaction }),
    implicitCommit: details.implicitCommit ?? false,
    pins: pinKinds(pinned),
    unpins: details.unpins ?? pinKinds(unpinned),
    because,
    ...(pinned.length === 0 ? {} : { pinned }),
    ...(unpinned.length === 0 ? {} : { unpinned }),
    ...(settings.length === 0 ? {} : { settings }),
    ...(access === undefined ? {} : { access }),
    ...(details.several === true ? { several: true as const } : {}),
    ...(details.endsFirst === undefined ? {} : { endsFirst: details.endsFirst }),
    ...(details.administers === true ? { administers: true as const } : {}),
    ...(details.calls === true ? { calls: true as const } : {}),
    ...(details.keepsVariables === true ? { keepsVariables: true as const } : {}),
    ...(details.chained === true ? { chained: true as const } : {}),
    ...(details.closes === true ? { closes: true as const } : {}),
    ...(details.snapshots === true ? { snapshots: true as const } : {}),
    ...(details.tellsNumber === true ? { tellsNumber: true as const } : {}),
    ...(details.showsRows === true ? { showsRows: true as const } : {}),
    ...(details.asksBefore === true ? { asksBefore: true as const } : {}),
    ...(details.asksOutcome === true ? { asksOutcome: true as const } : {}),
    ...(details.asksFound === true ? { asksFound: true as const } : {}),
    ...(details.setsFound === true ? { setsFound: true as const } : {}),
    ...(details.asksWrite === true ? { asksWrite: true as const } : {}),
    ...(details.asksSequence === true ? { asksSequence: true as const } : {}),
    ...(details.namesLocal === true ? { namesLocal: true as const } : {}),
    ...(details.database === undefined ? {} : { database: details.database }),
    ...(details.locksRows === true ? { locksRows: true as const } : {}),
    ...(details.reserved === true ? { reserved: true as const } : {}),
  });
}

const EVERY_PIN: readonly Pin[] = [
  'temp-table',
  'user-variable',
  'named-lock',
  'table-lock',
  'prepared',
  'found-rows',
  'handler',
  'session-variable',
  'xa',
];

/** The strictest answer there is, for what is too long to be looked through. */
export function anything(because: string): Classification {
  const pinned = EVERY_PIN.map((pin) => target(pin));
  return answer('unknown', 'primary', because, { transaction: 'autocommit-off', pinned, several: true });
}

/** One pinned or released thing. */
export function target(pin: Pin, name?: string): PinTarget {
  return { pin, name };
}

/** The kinds of some targets, each once, in the order of their first. */
export function pinKinds(targets: readonly PinTarget[]): readonly Pin[] {
  return targets.length === 0 ? NONE : [...new Set(targets.map(({ pin }) => pin))];
}

/** The same answer, but on the primary, for this reason. */
export function onPrimary(given: Classification, because: string): Classification {
  return given.route === 'primary' ? given : Object.freeze({ ...given, route: 'primary', because });
}
