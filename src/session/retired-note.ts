/** The note beside a session whose id was replaced: every process knows by it what became of the session. Its bytes are hostile. */

/** See the head of this file. */
export interface RetiredNote {
  /** The id that took its place; the old session has ended when this one has. */
  readonly successor: string;
  /** When the old session ends, in milliseconds since 1970. */
  readonly endsAt: number;
}

/** The longest note that is read: the longest id, and the rest. */
export const MAX_RETIRED_NOTE_BYTES = 1024;

/** The bytes of a note. */
export function encodeRetiredNote({ successor, endsAt }: RetiredNote): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, successor, endsAt }));
}

/** Reads a note; undefined for anything else. */
export function decodeRetiredNote(bytes: Buffer): RetiredNote | undefined {
  if (bytes.length > MAX_RETIRED_NOTE_BYTES) return undefined;
  try {
    const { v, successor, endsAt } = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
    const sound = v === 1 && typeof successor === 'string' && typeof endsAt === 'number';
    return sound ? { successor, endsAt } : undefined;
  } catch {
    return undefined;
  }
}
