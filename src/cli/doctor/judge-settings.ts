/** Whether the settings of a session are the same on every node: where they differ, a read depends on the node that it goes to. */
import type { Checks } from './check.js';

/** What is read over a connection of the application, as the session has it. */
export const SESSION_SETTINGS: readonly string[] = [
  'time_zone',
  'system_time_zone',
  'sql_mode',
  'lc_time_names',
  'default_week_format',
  'div_precision_increment',
  'group_concat_max_len',
  'max_sort_length',
  'sql_select_limit',
  'sql_auto_is_null',
  'lower_case_table_names',
  'collation_connection',
  'tx_isolation',
  'transaction_isolation',
  'max_allowed_packet',
];

/** The settings of the application's session on one node. */
export interface NodeSettings {
  /** The node. */
  readonly node: string;
  /** By name, in lower case; empty where it could not log in. */
  readonly settings: ReadonlyMap<string, string>;
}

/** Compares each node with the first one that could be read. */
export function judgeSettings(checks: Checks, nodes: readonly NodeSettings[]): void {
  const [first, ...others] = nodes.filter(({ settings }) => settings.size > 0);
  if (first === undefined) return;
  for (const { node, settings } of [first, ...others]) {
    const escapes = !wordsOf(settings.get('sql_mode')).includes('NO_BACKSLASH_ESCAPES');
    checks.expect(escapes, 'failed', node, 'values in statements', {
      found: escapes ? 'backslashes protect them' : 'NO_BACKSLASH_ESCAPES in sql_mode',
      expected:
        'that backslashes protect them: `query()` and `escape()` write them so, and a value can end its quotes here',
      fix: `take NO_BACKSLASH_ESCAPES out of \`sql_mode\` on ${node}, or pass values by \`execute()\` only`,
    });
  }
  for (const { node, settings } of others) {
    const different = SESSION_SETTINGS.filter((name) => {
      const [mine, its] = [settingOf(settings, name), settingOf(first.settings, name)];
      return mine !== undefined && its !== undefined && mine !== its;
    });
    const told = (from: ReadonlyMap<string, string>): string =>
      different.map((name) => `${name}=${settingOf(from, name)}`).join('; ');
    checks.expect(different.length === 0, 'warning', node, 'settings of a session', {
      found: different.length === 0 ? `as on ${first.node}` : told(settings),
      expected: `the same as on ${first.node} (${told(first.settings)}), or a read depends on the node that it goes to`,
      fix: `set them alike in the [mysqld] section of every node, and by SET GLOBAL (${different.join(', ')})`,
    });
  }
}

function settingOf(settings: ReadonlyMap<string, string>, name: string): string | undefined {
  const value = settings.get(name);
  if (value === undefined) return undefined;
  // The zone of the machine counts where a session has it, and nowhere else.
  if (name === 'system_time_zone') return settings.get('time_zone') === 'SYSTEM' ? value : undefined;
  return name === 'sql_mode' ? wordsOf(value).join(',') : value;
}

function wordsOf(mode: string | undefined): readonly string[] {
  return (mode ?? '').split(',').sort();
}
