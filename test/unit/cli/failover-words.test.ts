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
    "Call failover() to make it, or acknowledge('op-$1-7', name) to let it be made",
    'Run `stormlamp failover failover` to make it, or `stormlamp failover acknowledge op-$1-7` to let it be made',
  ],
  [
    'Call failover() to make this one, or resume() to end all pauses',
    'Run `stormlamp failover failover` to make this one, or `stormlamp failover resume` to end all pauses',
  ],
  [
    "or call failover({ to: 'db2:3306' }) if it shall be the primary",
    'or run `stormlamp failover failover --to db2:3306` if it shall be the primary',
  ],
  [
    "then failover({ to: 'db2:3306', acceptLoss: true }) makes db2:3306 the primary",
    'then `stormlamp failover failover --to db2:3306 --accept-loss` makes db2:3306 the primary',
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
