import { expect, test } from 'vitest';
import type { RebuildSession } from '../../../../src/failover/rebuild/rebuild-options.js';
import { leaveEvents, restEvents } from '../../../../src/failover/rebuild/resting-events.js';
import type { StatusRow } from '../../../../src/mysql/replica-status.js';
import { parseServerVersion } from '../../../../src/mysql/server-version.js';

/** A session that keeps what changes something, answers by `answers`, and refuses what fits `refused`. */
function session(
  version: string,
  answers: readonly (readonly [RegExp, readonly StatusRow[]])[],
  refused = /^$/,
): RebuildSession & { readonly sent: readonly string[] } {
  const sent: string[] = [];
  return {
    version: parseServerVersion(version),
    sent,
    ask: async (sql) => {
      if (!sql.startsWith('SELECT')) sent.push(sql);
      if (refused.test(sql)) throw new Error('denied');
      return answers.find(([about]) => about.test(sql))?.[1] ?? [];
    },
    close: () => undefined,
  };
}

const on = [/@@GLOBAL.event_scheduler/, [{ scheduler: 'ON' }]] as const;
const event = {
  database: 'shop',
  name: 'nightly',
  definer: 'jobs@%',
  originator: 1,
  charset: 'latin1',
  collation: 'latin1_swedish_ci',
};
const events = [
  /EVENTS/,
  [
    { ...event, status: 'ENABLED' },
    { ...event, name: 'off', status: 'DISABLED' },
  ],
] as const;
const LEFT = [
  'SET SESSION sql_log_bin=0',
  'SET SESSION character_set_client=latin1, collation_connection=latin1_swedish_ci',
];
const ALTER = 'ALTER DEFINER=`jobs`@`%` EVENT `shop`.`nightly` DISABLE ON ';

test.each([
  [
    '10.11.6-MariaDB',
    [],
    ['SET GLOBAL event_scheduler=OFF', ...LEFT, `${ALTER}SLAVE`, 'SET GLOBAL event_scheduler=ON'],
  ],
  [
    '9.7.0',
    [],
    [
      'SET PERSIST event_scheduler=OFF',
      ...LEFT,
      `${ALTER}REPLICA`,
      'RESET PERSIST IF EXISTS event_scheduler',
      'SET GLOBAL event_scheduler=ON',
    ],
  ],
  [
    '9.7.0',
    [{ value: 'ON' }],
    ['SET PERSIST event_scheduler=OFF', ...LEFT, `${ALTER}REPLICA`, 'SET PERSIST event_scheduler=ON'],
  ],
] as const)('%s: no event runs until all are left to the primary', async (version, persisted, wanted) => {
  const one = session(version, [on, events, [/persisted_variables/, persisted]]);
  const told: string[] = [];
  const resting = await restEvents(one, (message) => told.push(message));
  await leaveEvents(one, resting, (message) => told.push(message));
  expect(one.sent).toEqual(wanted);
  expect(told).toEqual([]);
});

test('a scheduler that was off stays so', async () => {
  const one = session('10.11.6-MariaDB', [[/event_scheduler/, [{ scheduler: 'OFF' }]]]);
  await leaveEvents(one, await restEvents(one, () => undefined), () => undefined);
  expect(one.sent).toEqual([]);
});

test('what may not be done is told, and nothing ends for it', async () => {
  const told: string[] = [];
  const log = (message: string): number => told.push(message);
  const strict = session('10.11.6-MariaDB', [on, events], /event_scheduler=OFF|ALTER/);
  await leaveEvents(strict, await restEvents(strict, log), log);
  expect(told).toHaveLength(2);
  const late = session('10.11.6-MariaDB', [on, events], /event_scheduler=ON/);
  await leaveEvents(late, await restEvents(late, log), log);
  expect(told.at(-1)).toContain('was on before');
});
