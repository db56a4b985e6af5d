/** What ties a session to its connection, thing by thing. */
import type { Classification, Pin, PinTarget } from './classifier/classification.js';

/** How many pinned things are known by name. */
const PINS_LIMIT = 256;

/** The kinds of state that tie the session, each once. */
export function pinNames(pins: readonly PinTarget[]): readonly Pin[] {
  return [...new Set(pins.map((target) => target.pin))];
}

/**
 * What ties a session after a statement that was accepted, or not. `isReadOnly`: it ran in a read-only transaction, where no
 * trigger can have set the user variables that it reads.
 */
export function pinsAfter(
  pins: readonly PinTarget[],
  classification: Classification,
  ok: boolean,
  isReadOnly: boolean,
): readonly PinTarget[] {
  let next = pins;
  if (ok && pins.length > 0 && classification.unpinned !== undefined) {
    for (const free of classification.unpinned) next = without(next, free);
  }
  if (pins.length > 0 && mayRename(classification)) next = withoutNames(next, 'temp-table');
  // A statement that pins does so even when it failed: SQL_CALC_FOUND_ROWS does, and for the others it costs little.
  const isNothing = (pin: Pin): boolean =>
    isReadOnly && pin === 'user-variable' && classification.keepsVariables === true;
  for (const target of classification.pinned ?? []) if (!isNothing(target.pin)) next = withPin(next, target);
  for (const pin of classification.pins) {
    if (classification.pinned?.some((target) => target.pin === pin) === true) continue;
    next = withPin(next, { pin, name: undefined });
  }
  return next;
}

function without(pins: readonly PinTarget[], free: PinTarget): readonly PinTarget[] {
  const at = pins.findIndex(
    (held) => free.pin === held.pin && (free.name === undefined || free.name === held.name),
  );
  if (at < 0) return pins;
  // The server counts how often a lock was taken, and so do we: another release is needed for each.
  if (free.pin === 'named-lock' && free.name !== undefined) return pins.toSpliced(at, 1);
  return pins.filter((held) => free.pin !== held.pin || (free.name !== undefined && free.name !== held.name));
}

/** After these, a name may stand for another temporary table than before, or for none. */
function mayRename({ kind, implicitCommit, pinned, unpinned, settings }: Classification): boolean {
  if (settings?.includes('database') === true || kind === 'unknown') return true;
  return kind === 'write' && implicitCommit && pinned === undefined && unpinned === undefined;
}

/** Without its name a thing is let go of by a reset only. */
function withoutNames(pins: readonly PinTarget[], pin: Pin): readonly PinTarget[] {
  if (!pins.some((held) => held.pin === pin && held.name !== undefined)) return pins;
  return withPin(
    pins.filter((held) => held.pin !== pin),
    { pin, name: undefined },
  );
}

/** With one thing more. */
export function withPin(pins: readonly PinTarget[], added: PinTarget): readonly PinTarget[] {
  const isCounted = added.pin === 'named-lock' && added.name !== undefined;
  if (!isCounted && pins.some((held) => held.pin === added.pin && held.name === added.name)) return pins;
  // A session with hundreds of named things is tied by their kinds: names are only kept to let go of them one by one.
  if (pins.length >= PINS_LIMIT) return pinNames([...pins, added]).map((pin) => ({ pin, name: undefined }));
  return [...pins, added];
}
