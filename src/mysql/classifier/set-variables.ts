/** What the session variables are to a session that moves between connections. */
import type { SessionSetting } from './classification.js';

/** Whether a variable is replayed, is about the next transaction or autocommit, or pins. */
export type VariableRole =
  | { readonly role: 'autocommit' }
  | { readonly role: 'replayed'; readonly setting: SessionSetting }
  | { readonly role: 'transaction'; readonly setting: 'isolation' | 'access-mode' }
  | { readonly role: 'pinning' };

const ROLES: ReadonlyMap<string, VariableRole> = new Map<string, VariableRole>([
  ['autocommit', { role: 'autocommit' }],
  ['character_set_client', { role: 'replayed', setting: 'charset' }],
  ['character_set_connection', { role: 'replayed', setting: 'charset' }],
  ['character_set_results', { role: 'replayed', setting: 'charset' }],
  ['collation_connection', { role: 'replayed', setting: 'charset' }],
  ['sql_mode', { role: 'replayed', setting: 'sql-mode' }],
  ['time_zone', { role: 'replayed', setting: 'time-zone' }],
  ['transaction_isolation', { role: 'transaction', setting: 'isolation' }],
  ['tx_isolation', { role: 'transaction', setting: 'isolation' }],
  ['transaction_read_only', { role: 'transaction', setting: 'access-mode' }],
  ['tx_read_only', { role: 'transaction', setting: 'access-mode' }],
]);

const PINNING: VariableRole = { role: 'pinning' };

/** The role of a variable, by its name in lower case. */
export function variableRole(name: string): VariableRole {
  return ROLES.get(name) ?? PINNING;
}

/** Variables that MariaDB's `SET STATEMENT … FOR` may set around a read without changing where it may run. */
export const STATEMENT_VARIABLES: ReadonlySet<string> = new Set([
  'join_buffer_size',
  'join_cache_level',
  'lock_wait_timeout',
  'max_statement_time',
  'optimizer_search_depth',
  'optimizer_switch',
  'optimizer_use_condition_selectivity',
  'read_buffer_size',
  'read_rnd_buffer_size',
  'sort_buffer_size',
]);
