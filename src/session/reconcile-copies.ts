/**
 * Makes one session of two copies: that of a mount which missed writes and was written by somebody who knows nothing of us
 * (PHP), and that of the mounts which took them.
 */
import { isUnknown, type MissedWrite } from '../files/missed-writes.js';
import { shareIdentities } from '../php/identity-sharing.js';
import { SessionDocument, type VariableChange } from '../php/session-document.js';
import type { SessionHandler } from '../php/session-handler.js';
import { isBegunAfter } from './copy-standing.js';
import { type FileCopy, versionOf } from './file-copy.js';
import { entryParts, hashOf, isEntry, reconcileBag } from './reconcile-bag.js';

/** What two copies came to. */
export interface ReconciledCopies {
  /** The session. */
  readonly copy: FileCopy;
  /** Whose it is; `'both'` when nothing of either was lost. */
  readonly kept: 'its own' | 'the others' | 'both';
}

/**
 * Three-way, variable by variable, and entry by entry of what a framework keeps in one variable: what only we changed is ours, what
 * only the other changed is theirs. A variable that both changed, and copies that cannot be compared, are those of the later write. A
 * logout stands. A copy that is no session, as a full disk leaves it, counts for nothing.
 *
 * @param own the copy of the mount that missed writes, which counts; see `standingOf`
 * @param others the copy of the mounts that took them
 * @param phpWrites whose copy PHP writes: what no missed write changed and yet differs, is that of PHP
 */
export function reconcileCopies(
  own: FileCopy,
  others: FileCopy,
  missed: MissedWrite,
  handler: SessionHandler,
  phpWrites: 'own' | 'others' = 'own',
): ReconciledCopies {
  const itsOwn: ReconciledCopies = { copy: own, kept: 'its own' };
  const theOthers: ReconciledCopies = { copy: others, kept: 'the others' };
  if (own.bytes === null) return itsOwn;
  const here = decoded(own.bytes, handler);
  if (here === undefined) return theOthers;
  const later = own.changedMs > missed.at ? itsOwn : theOthers;
  const there = others.bytes === null ? undefined : decoded(others.bytes, handler);
  if (others.bytes === null) {
    // Collected: it was used. Not known any more: then it may have been ended.
    if (missed.unusedFor !== undefined) return itsOwn;
    return isUnknown(missed) && !isBegunAfter(own, missed.at) ? theOthers : later;
  }
  if (there === undefined) return itsOwn;
  const { parts } = missed;
  if (missed.kind === 'delete' || parts === undefined) return later;
  const [onto, from] = phpWrites === 'own' ? [here, there] : [there, here];
  // What the values that are taken share with variables that both hold.
  shareIdentities(from, onto);
  const changes = new Map<string, VariableChange>();
  let both = true;
  const isUntouched = (part: string, mine: string | null, before: string | null) =>
    mine === before || isLate(missed, part, mine);
  const decide = (): SessionDocument => {
    both = false;
    return later === theOthers ? there : here;
  };
  for (const [name, before] of Object.entries(parts)) {
    if (isEntry(name)) continue;
    const mine = hashOf(here.bytesOf(name));
    if (mine === hashOf(there.bytesOf(name))) continue;
    const untouched = isUntouched(name, mine, before);
    const merged = untouched
      ? undefined
      : reconcileBag(name, missed, { here, there, onto }, (part, hash, old) =>
          isUntouched(part, hash, old) ? there : decide(),
        );
    if (merged !== undefined) {
      changes.set(name, merged);
      continue;
    }
    const winner = untouched ? there : decide();
    if (winner === onto) continue;
    changes.set(name, winner.has(name) ? { kind: 'set', value: winner.get(name) } : { kind: 'delete' });
  }
  const bytes = onto.encodeWith(changes);
  const modifiedMs = Math.max(own.modifiedMs, others.modifiedMs);
  const copy = { ...own, bytes, version: versionOf(bytes), modifiedMs };
  return { copy, kept: both ? 'both' : later.kept };
}

/** Whether a variable is what a write of ours made of it that arrived late. */
function isLate({ late }: MissedWrite, name: string, hash: string | null): boolean {
  return late?.some(({ parts }) => parts !== undefined && (parts[name] ?? null) === hash) ?? false;
}

/** What every variable of a session is. */
export function partsOf(bytes: Buffer, handler: SessionHandler): MissedWrite['parts'] {
  const document = decoded(bytes, handler);
  return document && changedParts(document.keys, document, document);
}

/** What a save changes, by name, with what was there before: for the mounts that miss it. */
export function changedParts(
  names: Iterable<string>,
  before: SessionDocument | undefined,
  after: SessionDocument,
): Readonly<Record<string, string | null>> {
  return Object.fromEntries(
    [...names].flatMap((name) => [[name, hashOf(before?.bytesOf(name))], ...entryParts(name, before, after)]),
  );
}

/** Whether bytes can be decoded. */
export function isSession(bytes: Buffer, handler: SessionHandler): boolean {
  return decoded(bytes, handler) !== undefined;
}

function decoded(bytes: Buffer, handler: SessionHandler): SessionDocument | undefined {
  try {
    return SessionDocument.decode(bytes, handler);
  } catch {
    return undefined;
  }
}
