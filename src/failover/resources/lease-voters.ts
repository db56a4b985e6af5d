/** The voters of a lease: who they are, and whether each is one server that lets this process in. */
import type { Deadline } from '../../common/deadline.js';
import type { NodeId } from '../../common/node-address.js';
import { ErrorCode, isStormlampError, StormlampError } from '../../common/stormlamp-error.js';
import { createConnectionFactory } from '../../mysql/connection-factory.js';
import { forAdministration, parseMysqlNode } from '../../mysql/connection-options.js';
import type { MysqlNodeInput } from '../../mysql/mysql-options.js';
import type { LockTarget } from '../locks/lock-session.js';
import { lockChecks } from '../preflight/lock-checks.js';
import { majorityOf } from '../protocol/majority.js';

/** Longest time for a look at the voters at the start, milliseconds. */
const CHECK_MS = 2_000;

/**
 * Looks at the voters that answer within two seconds. Behind an address that leads to several servers two processes would hold one
 * lock, and with an account that is refused this process would wait for ever.
 *
 * Rejects with `ERR_INVALID_OPTION` or `ERR_ACCESS_DENIED`.
 */
export async function checkVoters(targets: readonly LockTarget[], cluster: string): Promise<void> {
  const refused = new Map<NodeId, StormlampError>();
  const voters = targets.map((target) => ({
    id: target.voter,
    act: {
      connect: (deadline: Deadline) =>
        target.connect(deadline).catch((error: unknown) => {
          if (isStormlampError(error, ErrorCode.ACCESS_DENIED)) refused.set(target.voter, error);
          throw error;
        }),
    },
  }));
  const checks = await lockChecks(voters, cluster, CHECK_MS);
  const failed = checks.filter(({ result }) => result === 'fail').map(({ detail }) => detail);
  if (failed.length > 0)
    throw new StormlampError(ErrorCode.INVALID_OPTION, `\`lease.voters\`: ${failed.join('; ')}`);
  const [first] = refused.values();
  if (targets.length - refused.size >= majorityOf(targets.length)) return;
  const why = [...refused.values()].map(({ message }) => message).join('; ');
  throw new StormlampError(
    ErrorCode.ACCESS_DENIED,
    `\`lease.voters\`: ${refused.size} of ${targets.length} voters refuse the account, and the others are no majority: ${why}`,
    { cause: first, node: first?.node },
  );
}

/**
 * The voter that an entry of `voters` names.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function targetOf(path: string, input: MysqlNodeInput): LockTarget {
  const config = parseMysqlNode(path, input, 'any');
  if (config.seed.id === '') throw new StormlampError(ErrorCode.INVALID_OPTION, `\`${path}\` has no address`);
  const factory = createConnectionFactory(forAdministration(config));
  return { voter: config.seed.id, connect: (deadline) => factory.connect(deadline) };
}
