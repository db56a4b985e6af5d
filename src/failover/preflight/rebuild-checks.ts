/** Whether a ready `rebuild` hook has what it needs: found missing later, a node that cannot follow stays away until somebody comes. */
import { describeError } from '../../common/stormlamp-error.js';
import type { FailoverHooks } from '../failover-hooks.js';
import { someOf, tablesBeside } from '../rebuild/copied-tables.js';
import { type ReadyHook, readinessOf } from '../rebuild/ready-hook.js';
import type { RebuildSession } from '../rebuild/rebuild-options.js';
import { lackingRights } from '../rebuild/rebuild-rights.js';
import { assertPrograms } from '../rebuild/server-tool.js';
import { GRANTS_SQL } from '../survey/account-privileges.js';
import type { Voter } from '../voters.js';
import type { PreflightCheck } from './preflight.js';

/** Checks every data node that answers within `timeoutMs`, and the programs on this machine; nothing for a hook of the user's own. */
export async function rebuildChecks(
  hook: FailoverHooks['rebuild'],
  voters: readonly Voter[],
  timeoutMs: number,
): Promise<readonly PreflightCheck[]> {
  const ready = readinessOf(hook);
  if (ready === undefined) return [];
  const signal = AbortSignal.timeout(timeoutMs);
  const nodes = voters.filter(({ kind }) => kind !== 'witness');
  const perNode = await Promise.all(
    nodes.map(async ({ id }) => {
      try {
        const session = await ready.means.open(id, signal);
        try {
          return await checksOf(id, session, ready);
        } finally {
          session.close();
        }
      } catch (error) {
        const detail = `whether the data of ${id} could be made anew cannot be checked: ${describeError(error)}`;
        return [check('rebuild-privileges', id, detail)];
      }
    }),
  );
  return [await programCheck(ready, signal), ...perNode.flat()];
}

async function checksOf(
  node: string,
  session: RebuildSession,
  { flavor }: ReadyHook,
): Promise<readonly PreflightCheck[]> {
  if (session.version.flavor !== flavor)
    return [
      check('rebuild-privileges', node, `${node} is ${session.version.text}; the hook is for ${flavor} only`),
    ];
  const { names, grants } = await lackingRights(session);
  const rights = check(
    'rebuild-privileges',
    node,
    names.length === 0
      ? undefined
      : `the account that rebuilds lacks ${names.join(', ')} on ${node}, so that no data is made anew there or from there; ${grants.join('; ')}`,
    GRANTS_SQL,
  );
  const [row] = await session.ask('SELECT @@GLOBAL.read_only AS closed');
  // Only what is copied counts, and replicas have the same tables. Without the privilege they are not seen.
  if (names.length > 0 || Number(row?.['closed']) !== 0) return [rights];
  const beside = await tablesBeside(session);
  const what =
    flavor === 'mysql'
      ? 'they would be empty in a clone, so that none is made'
      : 'what is written to them during a dump may be there twice or not at all';
  const told = beside.length === 0 ? undefined : `${someOf(beside)} of ${node} have no transactions: ${what}`;
  return [rights, check('rebuild-tables', node, told)];
}

async function programCheck({ flavor, means }: ReadyHook, signal: AbortSignal): Promise<PreflightCheck> {
  const { programs, saveTo } = means;
  const binlog = programs.binlog ?? [flavor === 'mysql' ? 'mysqlbinlog' : 'mariadb-binlog'];
  const commands = [
    ...(flavor === 'mysql' ? [] : [programs.dump ?? ['mariadb-dump'], programs.client ?? ['mariadb']]),
    ...(saveTo === undefined ? [] : [binlog]),
  ];
  try {
    await assertPrograms(commands, signal);
    return check('rebuild-programs', null, undefined);
  } catch (error) {
    return check('rebuild-programs', null, `no data is made anew from this process: ${describeError(error)}`);
  }
}

function check(name: string, node: string | null, trouble: string | undefined, sql = ''): PreflightCheck {
  return trouble === undefined
    ? { name, node, result: 'pass', detail: `${name}: as it should be`, sql }
    : { name, node, result: 'warn', detail: trouble, sql };
}
