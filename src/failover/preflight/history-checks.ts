/** Whether the logs of MariaDB name everybody who was the primary before: those of a copy do not. Pure. */
import { withInherited } from '../survey/inherited-history.js';
import { isOn, type NodeSurvey, variableOf } from '../survey/node-survey.js';
import { differenceOf, notationOf } from '../survey/transaction-set.js';
import type { PreflightCheck } from './preflight.js';

const NAME = 'names-history';

/** That each server of MariaDB names what others of the cluster name, as far as it has it. */
export function historyChecks(surveys: readonly NodeSurvey[]): readonly PreflightCheck[] {
  const [head, second] = surveys.filter(({ channels }) => channels.length === 0);
  const all = withInherited(surveys, second === undefined ? head?.node : undefined);
  return surveys.flatMap((survey): readonly PreflightCheck[] => {
    const { node, version, executed, channels } = survey;
    if (version.flavor !== 'mariadb' || !isOn(variableOf(survey, 'log_bin'))) return [];
    const completed = all.find((each) => each.node === node) ?? survey;
    const unnamed = notationOf('mariadb', differenceOf(completed.executed, executed));
    const check = { name: NAME, node, sql: 'SELECT @@GLOBAL.gtid_binlog_state' };
    if (unnamed === '') return [{ ...check, result: 'pass', detail: `${NAME}: as it should be` }];
    const remedy =
      channels.length === 0
        ? 'Once it is a replica, run there'
        : 'Where no other server needs its binary logs, which that throws away, run there';
    // What is named last in a domain counts as its last transaction. A server that reads its position while it sets its history hangs.
    const statements =
      'STOP SLAVE; ' +
      "SET @history=IF(@@GLOBAL.gtid_binlog_state='', @@GLOBAL.gtid_slave_pos, @@GLOBAL.gtid_binlog_state); " +
      `RESET MASTER; SET GLOBAL gtid_binlog_state=CONCAT('${unnamed},', @history); START SLAVE`;
    return [
      {
        ...check,
        result: 'warn',
        detail:
          `${node} was made by a copy, and its binary log does not name what former primaries wrote before (${unnamed}): that it has it is only ` +
          `known while the server answers, or was seen, that wrote what came next. ${remedy} \`${statements}\``,
      },
    ];
  });
}
