/** Changes that are over in fact, and whose process died before it said so: they get their end in writing, and the hooks are called. */
import type { NodeId } from '../../common/node-address.js';
import type { ChangeControl } from '../change/change-control.js';
import type { LooseEnd, MetaStore } from '../meta/meta-store.js';

/** What they are tied up with. */
export interface LooseEndParts {
  readonly cluster: string;
  readonly control: ChangeControl;
  readonly meta: MetaStore;
}

/** A process may still be at work on a change, or wait for its hooks, that is younger than this, seconds. */
const CLOSE_S = 60;

/** Ties them up. */
export class LooseEnds {
  readonly #parts: LooseEndParts;
  readonly #telling = new Set<string>();

  /** Knows of none yet. */
  constructor(parts: LooseEndParts) {
    this.#parts = parts;
  }

  /** Closes those that `primary` knows. Hooks may take long: nobody waits for them here. */
  async tieUp(primary: NodeId): Promise<void> {
    const { cluster, control, meta } = this.#parts;
    const voter = control.voter(primary);
    const { epoch, opId: current, ends } = await meta.looseEnds(voter);
    const old = ends.filter(({ opId, ageS }) => ageS >= CLOSE_S && !this.#telling.has(opId));
    const close = async ({ opId, to }: LooseEnd): Promise<void> => {
      await meta.endOther(voter, opId, to === primary ? 'done' : 'undone');
      await meta.told(voter, opId);
    };
    const owed = owedOf(old, current);
    for (const end of old) if (owed?.ends.includes(end) !== true) await close(end);
    if (owed === undefined) return;
    const { opId, from, ends: open } = owed;
    for (const end of open) this.#telling.add(end.opId);
    void (async () => {
      try {
        const change = { opId, cluster, from, to: primary, epoch, reason: null, outageMs: 0 };
        await control.hooks.tellFollowed(change);
        for (const end of open) await close(end);
      } catch {
        // It is found again.
      } finally {
        for (const end of open) this.#telling.delete(end.opId);
      }
    })();
  }
}

/** The change that has made the primary, when nobody is known to have called the hooks for it; with what it has finished, or undone. */
export function owedOf(
  ends: readonly LooseEnd[],
  current: string,
): { readonly opId: string; readonly from: NodeId; readonly ends: readonly LooseEnd[] } | undefined {
  const last = ends.find(({ opId }) => opId === current);
  // A later change has told of itself.
  if (last === undefined) return undefined;
  const begun = ends.find((end) => end !== last && end.isOpen && end.kind !== 'resume');
  if (last.kind !== 'resume' || begun === undefined)
    return { opId: last.opId, from: last.from, ends: [last] };
  return { opId: begun.opId, from: begun.from, ends: [begun, last] };
}
