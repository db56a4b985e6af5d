import { expect, test } from 'vitest';
import { inCommands } from '../../../src/cli/failover-words.js';

test.each([
  [
    'Nothing is wrong. For a planned change call switchover(), which loses nothing; call failover({ force: true }) only if you know better',
    'Nothing is wrong. For a planned change run `stormlamp failover switchover`, which loses nothing; run `stormlamp failover failover --force` only if you know better',
  ],
  [
    'Call failover({ acceptLoss: true }), or set `failover.maxLoss`',
    'Run `stormlamp failover failover --accept-loss`, or set `failover.maxLoss`',
  ],
  [
    "Call acknowledge('op-$1-7', name), or failover({ force: true })",
    'Run `stormlamp failover acknowledge op-$1-7`, or `stormlamp failover failover --force`',
  ],
  [
    "or call failover({ to: 'db2:3306' }) if it shall be the primary",
    'or run `stormlamp failover failover --to db2:3306` if it shall be the primary',
  ],
  [
    'a planned switchover needs it. Use failover()',
    'a planned switchover needs it. Run `stormlamp failover failover`',
  ],
  ['`preflight()` has the GRANT', '`stormlamp failover preflight` has the GRANT'],
  ['The failover of db1 (failover) is over', 'The failover of db1 (failover) is over'],
])('%s', (said, typed) => {
  expect(inCommands(said)).toBe(typed);
});
