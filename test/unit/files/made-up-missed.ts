/** Missed writes of one file, made up. */
import type { MissedWrite } from '../../../src/files/missed-writes.js';

/** The file. */
export const NAME = 'sess_x';

/** A write at `at`, of a copy of the version that is called after that. */
export function write(at: number, more: Partial<MissedWrite> = {}): MissedWrite {
  return { name: NAME, kind: 'write', superseded: `v${at}`, at, ...more };
}

/** An end for good. */
export function end(at: number): MissedWrite {
  return { name: NAME, kind: 'delete', superseded: `v${at}`, at, ended: at };
}

/** A collection of what nobody had used. */
export function collection(at: number): MissedWrite {
  return { name: NAME, kind: 'delete', superseded: `v${at}`, at, unusedFor: 60, parts: {} };
}
