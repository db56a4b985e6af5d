/**
 * What a mount missed of one file, of which every mount that took some of the writes remembers its part: a chain of writes, from the
 * first that the mount missed to the last.
 *
 * Who holds the beginning knows what the mount presumably has. A mount that was away then and got the contents later, or took only
 * the later writes while nobody who knew of the earlier ones could be asked, remembers a chain that begins with a version which
 * the mount never had. So the parts are put together, each time that a write is missed and each time that one is looked for:
 * the earliest beginning, the latest end, and whatever any of them says that was changed or is nobody's later write.
 */
import { endOf, isUnknown, type LateChange, type MissedWrite } from './missed-writes.js';

/** A mount that hangs gets no further writes until it is back; more than a few are of long ago. */
const MAX_LATE = 16;

/** What a copy is made of, each part with what stands for it; without parts, nobody can tell. */
export interface HeldParts {
  /** As in {@link MissedWrite}. */
  readonly parts: MissedWrite['parts'];
}

/**
 * One record of what several mounts remember about one mount and one file; undefined when nothing of it counts. A record of which
 * nothing is known counts only where there is no other.
 *
 * @param settledUntil what was missed until then was made up for; see `settled-writes.ts`
 */
export function chainOf(
  records: readonly MissedWrite[],
  settledUntil: number | undefined,
): MissedWrite | undefined {
  const counting = records.filter(({ at }) => settledUntil === undefined || at > settledUntil);
  const known = counting.filter((record) => !isUnknown(record));
  const all = known.length > 0 ? known : counting;
  const last = latest(all);
  const [first, ...rest] = all.toSorted((one, other) => beginningOf(one) - beginningOf(other));
  if (first === undefined || last === undefined) return undefined;
  const ends = all.flatMap((record) => endOf(record) ?? []);
  const ended = ends.length === 0 ? undefined : Math.max(...ends);
  const collected = latest(
    all.filter(({ at, unusedFor }) => unusedFor !== undefined && (ended === undefined || at > ended)),
  );
  const parts = rest.reduce((joined, record) => bothOf(joined, record.parts), first.parts);
  const late = joinedLate([
    ...all.flatMap((record) => record.late ?? []),
    ...rest.flatMap(({ superseded }) => (superseded === first.superseded ? [] : [{ version: superseded }])),
  ]);
  return {
    name: last.name,
    kind: last.kind,
    superseded: first.superseded,
    at: last.at,
    ...(first.since === undefined ? {} : { since: first.since }),
    ...(parts === undefined ? {} : { parts }),
    ...(ended === undefined ? {} : { ended }),
    ...(collected === undefined ? {} : { unusedFor: collected.unusedFor }),
    ...(late.length === 0 ? {} : { late }),
  };
}

/**
 * The record of what was missed before, and now; dated later than what was missed before.
 *
 * @param before what was missed before and not made up for since; a touch says nothing here
 * @param held what the mount was seen to hold when the write was made of it, and `missed.superseded` stands for; left out, an
 * earlier record knows better, since the mount still holds what the first of several missed writes superseded
 * @param settledUntil as in {@link chainOf}
 */
export function chained(
  before: MissedWrite | undefined,
  missed: MissedWrite,
  held?: HeldParts,
  settledUntil = 0,
): MissedWrite {
  // Dates of several machines: what is missed later must not seem to be made up for with what was missed before.
  const at = Math.max(missed.at, settledUntil + 1, (before?.at ?? 0) + 1);
  // A collection means whatever was there.
  const earlier = missed.unusedFor === undefined ? before : undefined;
  const parts = earlier === undefined ? missed.parts : bothOf(earlier.parts, missed.parts);
  const continues = earlier !== undefined && held === undefined;
  return {
    ...missed,
    at,
    since: continues ? beginningOf(earlier) : at,
    ...(parts === undefined ? {} : { parts: held?.parts === undefined ? parts : partsIn(held.parts, parts) }),
    ...(continues ? { superseded: earlier.superseded } : {}),
    ...(before === undefined
      ? {}
      : {
          ended: missed.ended ?? endOf(before),
          unusedFor: missed.unusedFor ?? (missed.ended === undefined ? before.unusedFor : undefined),
          late: joinedLate([...(before.late ?? []), ...(missed.late ?? [])]),
        }),
  };
}

/** When the first of the missed writes was made; a record of an earlier release tells only the last. */
function beginningOf({ since, at }: MissedWrite): number {
  return since ?? at;
}

function latest(records: readonly MissedWrite[]): MissedWrite | undefined {
  const [first, ...rest] = records;
  return rest.reduce((last, record) => (last && last.at >= record.at ? last : record), first);
}

function bothOf(earlier: MissedWrite['parts'], later: MissedWrite['parts']): MissedWrite['parts'] {
  return earlier && later && { ...later, ...earlier };
}

// What is there went into the write, whoever had made it of what was there before: changed against that is only what is changed later.
function partsIn(held: Parts, changed: Parts): Parts {
  const now = Object.keys(changed).map((part) => [part, held[part] ?? null] as const);
  // A part that says that no parts of it are told.
  const untold = Object.entries(held).filter(([, hash]) => hash === null);
  return Object.fromEntries([...now, ...untold]);
}

type Parts = NonNullable<MissedWrite['parts']>;

/** The newest of them, each version once, with its parts where any of them tells them. */
function joinedLate(changes: readonly LateChange[]): readonly LateChange[] {
  const byVersion = new Map<string | null, LateChange>();
  for (const change of changes)
    if (change.parts !== undefined || !byVersion.has(change.version)) byVersion.set(change.version, change);
  return [...byVersion.values()].slice(-MAX_LATE);
}
