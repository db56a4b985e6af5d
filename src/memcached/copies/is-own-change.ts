/** Whether what counts is what a change itself stored, before it lost a race on another node. */
import type { Commit } from './commit-copies.js';
import { sameContent } from './copy-hash.js';
import type { CopyDecision, CopySeen } from './decide-copies.js';

/**
 * It is when the deciding node holds the very version that `commit` stored there, unless somebody who could not reach that node was told
 * meanwhile that his change is done, and it made the same content: two who count up from 4 both write 5.
 */
export function isOwnChange(
  seen: readonly CopySeen[],
  decision: CopyDecision,
  commit: Pick<Commit, 'version' | 'isOwn'>,
): boolean {
  if (decision.kind !== 'found') return false;
  const { node, item } = decision;
  const { version } = commit;
  if (version?.node !== node || version.cas !== item.cas) return false;
  return !seen.some(
    (copy) =>
      copy.reached &&
      copy.node !== node &&
      copy.item !== null &&
      copy.hint?.note.missed.has(node) === true &&
      sameContent(copy.item, item) &&
      !commit.isOwn({ node: copy.node, cas: copy.item.cas }),
  );
}
