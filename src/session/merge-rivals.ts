/** Makes one session of copies that no rule decides about: PHP wrote one while Node wrote the other, on nodes that did not see each other. */
import { isStormlampError } from '../common/stormlamp-error.js';
import { equalVariables } from '../php/equal-variables.js';
import { shareIdentities } from '../php/identity-sharing.js';
import { SessionDocument, type VariableChange } from '../php/session-document.js';
import type { SessionHandler } from '../php/session-handler.js';
import { mergeBag } from './merge-bag.js';

/** A merged session, and what was decided. */
export interface MergedRivals {
  /** The bytes. */
  readonly bytes: Buffer;
  /** Variables that the copies held with different values; those of the first copy were kept. */
  readonly decided: readonly string[];
}

/**
 * Every variable of every copy, so that nothing that anybody was told is stored is lost; where they differ, that of the first
 * copy. A framework's attributes are looked at one by one. A rival that cannot be decoded is left out.
 */
export function mergeRivals(first: Buffer, rivals: readonly Buffer[], handler: SessionHandler): MergedRivals {
  const base = SessionDocument.decode(first, handler);
  const changes = new Map<string, VariableChange>();
  const decided = new Set<string>();
  for (const rival of rivals.flatMap((bytes) => decoded(bytes, handler) ?? [])) {
    // What its values share with variables that are taken from the first copy.
    const equal = equalVariables(rival, base);
    shareIdentities(rival, base, equal);
    for (const name of rival.keys) {
      if (equal.has(name)) continue;
      const change = changes.get(name);
      const kept = change?.kind === 'set' ? change.value : base.get(name);
      if (kept === undefined) {
        changes.set(name, { kind: 'set', value: rival.get(name) });
        continue;
      }
      const states = { base: undefined, ours: rival.get(name), theirs: kept };
      const bag = mergeBag(name, states, first.length, () => 'theirs');
      if (bag !== undefined) changes.set(name, { kind: 'set', value: bag.value });
      if (bag === undefined || bag.decided.length > 0) decided.add(name);
    }
  }
  return { bytes: base.encodeWith(changes), decided: [...decided] };
}

function decoded(bytes: Buffer, handler: SessionHandler): SessionDocument | undefined {
  try {
    return SessionDocument.decode(bytes, handler);
  } catch (error) {
    if (isStormlampError(error)) return undefined;
    throw error;
  }
}
