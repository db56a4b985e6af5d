import { expect, test } from 'vitest';
import type { LooseEnd } from '../../../../src/failover/meta/meta-store.js';
import { owedOf } from '../../../../src/failover/overseer/loose-ends.js';

const end = (opId: string, kind: string, isOpen = true): LooseEnd => ({
  opId,
  kind,
  from: 'db1',
  to: 'db2',
  actor: 'somebody',
  ageS: 90,
  isOpen,
});

test.each<[string, readonly LooseEnd[], string, string | undefined, readonly string[]]>([
  ['nothing is open', [], 'a', undefined, []],
  ['its process died before its end', [end('a', 'failover')], 'a', 'a', ['a']],
  ['its process died before the hooks', [end('a', 'switchover', false)], 'a', 'a', ['a']],
  ['it never made a primary', [end('a', 'switchover')], 'b', undefined, []],
  ['who finished it died, too', [end('a', 'switchover'), end('b', 'resume')], 'b', 'a', ['a', 'b']],
  ['a primary that was only started again', [end('b', 'resume')], 'b', 'b', ['b']],
  [
    'what was told long ago is not its beginning',
    [end('a', 'failover', false), end('b', 'resume')],
    'b',
    'b',
    ['b'],
  ],
])('%s', (_, ends, current, opId, closed) => {
  const owed = owedOf(ends, current);
  expect(owed?.opId).toBe(opId);
  expect(owed?.ends.map((each) => each.opId) ?? []).toEqual(closed);
});
