/** What a failover takes note of when nothing moves any more: by it what turns up later on the old primary can be judged; pure. */
import type { NodeId } from '../../common/node-address.js';
import { type NodeSurvey, receivedOf } from '../survey/node-survey.js';
import { acknowledges } from '../survey/semi-sync.js';
import { notationOf, PLACE } from '../survey/transaction-set.js';
import type { CommitWaits } from './commit-waits.js';
import type { FailoverPlan } from './failover-plan.js';

/** A replica that receives nothing more from the old primary. */
export interface FrozenReplica {
  /** What it has received, in its server's notation; without GTIDs its place in the old primary's log, as `file:position`. */
  readonly received: string;
  /** Whether it acknowledges commits, and ran when the old primary was last seen: then it still has all that it has acknowledged since. */
  readonly acknowledges: boolean;
}

/** What is known of the replicas when a failover makes the new primary. */
export interface FrozenReplicas {
  /** By node, the new primary among them; what was not locked may have received, and acknowledged, more than anybody knows. */
  readonly replicas: Readonly<Record<NodeId, FrozenReplica>>;
  /** How commits on the old primary waited for replicas when it was last seen; null when none waited, or nobody knows. */
  readonly commitWaits: CommitWaits | null;
}

/** The value of a plan that has it, as the text of an object. */
export const FROZEN = 'frozen';

/** That text: of `surveys`, made when nothing moved any more, what is not the old primary. */
export function frozenText(
  { commitWaits, loss, from }: FailoverPlan,
  surveys: readonly NodeSurvey[] = [],
  now: number = Date.now(),
): string {
  const ranForS = loss.seenAt === null ? 0 : (now - loss.seenAt) / 1_000;
  const replicas = surveys
    .filter(({ node }) => node !== from)
    .map((survey): readonly [NodeId, FrozenReplica] => [
      survey.node,
      { received: placeOf(survey), acknowledges: acknowledges(survey) && survey.uptimeS >= ranForS },
    ]);
  const frozen: FrozenReplicas = {
    replicas: Object.fromEntries(replicas),
    commitWaits: commitWaits ?? null,
  };
  return JSON.stringify(frozen);
}

/** What the details of a change say of it; undefined where nothing is said, as by an older version. */
export function frozenIn(details: string): FrozenReplicas | undefined {
  try {
    const { replicas, commitWaits } = (JSON.parse(details) ?? {}) as Partial<FrozenReplicas>;
    if (typeof replicas !== 'object' || replicas === null || Object.keys(replicas).length === 0)
      return undefined;
    return { replicas, commitWaits: commitWaits ?? null };
  } catch {
    return undefined;
  }
}

function placeOf({ version, numbering, reached, status }: NodeSurvey): string {
  if (numbering !== 'file-position')
    return notationOf(version.flavor, new Map([...reached].filter(([origin]) => !origin.startsWith(PLACE))));
  const file = status?.['Source_Log_File'] ?? status?.['Master_Log_File'];
  const position = status?.['Read_Source_Log_Pos'] ?? status?.['Read_Master_Log_Pos'];
  return file === undefined ? receivedOf(status) : `${String(file)}:${String(position)}`;
}
