/** Whether enough mounts take a change: asked before it is begun, and told when fewer have it. */
import { ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { MirroredMounts } from './mirrored-mounts.js';
import type { Mount } from './mount.js';

/** How many mounts must have taken a change before it is acknowledged. */
export type MountAcks = 'one' | 'majority' | 'all';

/** A change, and who can take it or has taken it. */
export interface MountChangeReport {
  /** What is changed, for messages. */
  readonly what: string;
  /** The mounts that can take it, or took it. */
  readonly mounts: readonly Mount[];
  /** What went wrong on the others. */
  readonly failures: ReadonlyMap<Mount, unknown>;
}

/**
 * Looks whether a change can be made, before it is begun.
 *
 * @throws StormlampError `ERR_STORE_DOWN` when fewer mounts than `acks` asks for can take it.
 */
export function assertTakable(mirrored: MirroredMounts, acks: MountAcks, able: MountChangeReport): void {
  const needed = neededOf(mirrored, acks);
  // What nobody else has to take is tried, whatever the last write there did.
  if (needed === 1 || able.mounts.filter(takesWrites).length >= needed) return;
  const what = `Fewer mounts than \`acks\` asks for can take ${able.what}: nothing was changed`;
  throw mirrored.allDown(what, able.failures);
}

/**
 * Tells whoever asked for a change whether enough mounts have it.
 *
 * @throws StormlampError `ERR_OUTCOME_UNKNOWN` when fewer have it than `acks` asks for: it is there, counts, and is not refused.
 */
export function assertTaken(mirrored: MirroredMounts, acks: MountAcks, taken: MountChangeReport): void {
  if (taken.mounts.length >= neededOf(mirrored, acks)) return;
  const paths = taken.mounts.map(({ path }) => path).join(', ');
  const what = `The change of ${taken.what} is on ${paths} alone, on fewer mounts than \`acks\` asks for. It counts, and is lost only with them. Read it before you change it again`;
  throw mirrored.allDown(what, taken.failures, ErrorCode.OUTCOME_UNKNOWN);
}

/**
 * Writes down what is to be known of a change that is made already.
 *
 * @throws StormlampError `ERR_OUTCOME_UNKNOWN` instead of the `ERR_STORE_DOWN` of what could not be written down.
 */
export async function noteTaken(noted: Promise<void>): Promise<void> {
  try {
    await noted;
  } catch (error) {
    if (!isStormlampError(error, ErrorCode.STORE_DOWN)) throw error;
    const { message, node, cause } = error;
    throw new StormlampError(ErrorCode.OUTCOME_UNKNOWN, `The change was made, but may be lost: ${message}`, {
      node,
      cause,
    });
  }
}

function neededOf({ mounts }: MirroredMounts, acks: MountAcks): number {
  return { one: 1, majority: Math.floor(mounts.length / 2) + 1, all: mounts.length }[acks];
}

function takesWrites({ writable, health }: Mount): boolean {
  return writable && health.phase !== 'impaired';
}
