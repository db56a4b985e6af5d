/** `stormlamp explain`: where a statement would go now, and why, without sending it. */
import { invalidOption } from '../common/option-reader.js';
import { failoverDefaults } from '../failover/failover-options.js';
import { createLookingCluster } from '../mysql/observe-mysql-cluster.js';
import { CONFIG_HELP, CONFIG_OPTION } from './cluster-config.js';
import type { Command } from './command.js';
import { leaveOn } from './interruption.js';
import { lookingManager } from './operator-failover.js';
import { configOf } from './read-config.js';
import { setRows } from './text-table.js';
import { wrapLine } from './wrap-line.js';

const HELP = `Usage: stormlamp explain "<sql>" [options]

Tells what a statement is, which node would take it now, and why each other node would not. Sends nothing.

${CONFIG_HELP}

  --json              one JSON document on standard output
  --help              this text

Examples:
  stormlamp explain "SELECT * FROM cart WHERE id = 7"
  stormlamp explain "SELECT * FROM cart FOR UPDATE" --json
`;

const COLUMNS = [{ title: 'node' }, { title: 'role' }, { title: '' }, { title: 'reason' }];

/** The command `explain`. */
export const explainCommand: Command = {
  help: HELP,
  options: CONFIG_OPTION,
  async run(context) {
    const { words, width, paint, signal, say, result } = context;
    const [sql, ...rest] = words;
    if (sql === undefined || sql.trim() === '') throw invalidOption('explain <sql>', 'a statement', sql);
    if (rest.length > 0)
      throw invalidOption('explain <sql>', 'one argument; put the statement in quotes', rest[0]);
    const { options, source } = await configOf(context);
    if (options.mysql === undefined)
      throw invalidOption('mysql', `configured for this command (looked at ${source})`, undefined);
    const mysql = await leaveOn(signal, createLookingCluster(options.mysql));
    const { mode = failoverDefaults.mode } = options.failover ?? {};
    // Where voters vote, they decide where writes go.
    const manager = mode === 'follow' ? undefined : lookingManager(mysql, options.failover);
    try {
      await leaveOn(signal, manager?.asked() ?? Promise.resolve());
      const { node, role, kind, because, classification, considered } = mysql.explain(sql);
      const pins =
        classification.pins.length === 0 ? '' : `, keeps its connection (${classification.pins.join(', ')})`;
      for (const line of wrapLine(`${kind}${pins}`, width)) say(line);
      const goal = node === undefined ? 'No node would take it.' : `goes to ${node} (${role})`;
      for (const line of wrapLine(goal, width)) say(paint(node === undefined ? 'red' : 'green', line));
      for (const line of wrapLine(`because ${because}`, width)) say(line);
      say('');
      const table = setRows(
        COLUMNS,
        considered.map((each) => [each.node, each.role, each.fit ? 'fit' : 'not taken', each.reason]),
        width,
        '  ',
      );
      say(paint('dim', table.heading));
      for (const line of table.rows.flat()) say(line);
      result({
        ok: node !== undefined,
        sql,
        kind,
        node: node ?? null,
        role,
        because,
        classification,
        considered,
      });
      return node === undefined ? 1 : 0;
    } finally {
      await manager?.close();
      await mysql.close();
    }
  },
};
