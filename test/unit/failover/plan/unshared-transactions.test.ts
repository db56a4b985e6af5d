/** What a replica has alone is no reason to prefer it where it wrote that itself; what a primary may have acknowledged always is. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LastSeen } from '../../../../src/failover/plan/expected-loss.js';
import type { PlanContext } from '../../../../src/failover/plan/plan-context.js';
import { planFailover } from '../../../../src/failover/plan/plan-failover.js';
import { primaryBefore } from '../../../../src/failover/plan/primary-before.js';
import { unsharedTransactions } from '../../../../src/failover/plan/unshared-transactions.js';
import type { NodeSurvey } from '../../../../src/failover/survey/node-survey.js';
import { readTransactions, textOf } from '../../../../src/failover/survey/transaction-set.js';
import type { Flavor } from '../../../../src/topology/node-description.js';
import { madeUpContext } from '../made-up-context.js';
import { madeUp } from '../made-up-survey.js';

const source = { host: 'db1', port: 3306 };
const uuid = (n: number): string => [`${n}`.repeat(8), '1111-1111-1111-111111111111'].join('-');
const UNKNOWN = 'abcdefab-1111-1111-1111-111111111111';
const [P, A] = [uuid(1), uuid(2)];

function replica(node: string, executed: string, more: Parameters<typeof madeUp>[1] = {}): NodeSurvey {
  const status = { Master_Server_Id: 1, ...more.status };
  const positions = (executed === '' ? [] : executed.split(',')).map(
    (gtid) => gtid.split('-') as [string, string, string],
  );
  // Where it stands is one place in each domain, and never what it wrote itself.
  const last = new Map<string, string>();
  for (const [domain, server, number] of positions)
    if (server !== node.replace(/\D/g, '')) last.set(domain, `${domain}-${server}-${number}`);
  const at = [...last.values()].join(',');
  const variables = { gtid_binlog_state: executed, gtid_current_pos: at, ...more.variables };
  return madeUp(node, { source, executed: at, received: at, ...more, variables, status });
}

function mysql(
  node: string,
  executed: string,
  received = '',
  more: Parameters<typeof madeUp>[1] = {},
): NodeSurvey {
  const status = {
    Source_Host: 'db1',
    Source_Port: 3306,
    Source_UUID: P,
    Auto_Position: 1,
    Replica_IO_Running: 'Connecting',
    Replica_SQL_Running: 'Yes',
    Retrieved_Gtid_Set: received,
  };
  const variables = { gtid_mode: 'ON', gtid_executed: executed, server_uuid: uuid(Number(node.slice(2))) };
  return madeUp(node, { version: '8.4.3', source, status, variables, ...more });
}

function seen(flavor: Flavor, gtids: string, more: Partial<LastSeen> = {}): LastSeen {
  const id = flavor === 'mysql' ? P : '1';
  return {
    flavor,
    gtids,
    id,
    seenAt: 0,
    agoMs: 1_000,
    unseenMs: 500,
    isDead: true,
    rate: 1,
    semiSync: false,
    ...more,
  };
}

interface Case {
  readonly executed: string;
  readonly others?: string;
  readonly seen?: LastSeen | undefined;
  readonly more?: Parameters<typeof madeUp>[1];
  readonly context?: Partial<PlanContext>;
  readonly expected: readonly [errant: string, doubtful: string];
}

function judged(
  surveys: readonly NodeSurvey[],
  lastSeen: LastSeen | undefined,
  more: Partial<PlanContext> = {},
) {
  const context = madeUpContext(surveys, more);
  const found = unsharedTransactions(surveys, primaryBefore(context, 'db1', lastSeen)).get('db2');
  const flavor = surveys[0]?.version.flavor ?? 'mysql';
  return [textOf(flavor, found?.errant ?? new Map()), textOf(flavor, found?.doubtful ?? new Map())];
}

const wasPrimary = { primaries: new Set(['db1', 'db2']) };
const SEEN = seen('mariadb', '0-1-100');

describe('on MariaDB', () => {
  test.each<[string, Case]>([
    [
      'what it wrote under its own server_id is errant',
      { executed: '0-2-90,0-1-100', expected: ['0-2-1..90', ''] },
    ],
    ['… in a domain that the primary lacks', { executed: '0-1-100,5-2-1', expected: ['5-2-1', ''] }],
    [
      '… also when it has less of the primary than others',
      { executed: '0-2-90,0-1-95', expected: ['0-2-1..90', ''] },
    ],
    [
      'what the primary wrote after it was seen is never',
      { executed: '0-1-120', others: '0-1-100', expected: ['', ''] },
    ],
    ['… in a domain that nobody had seen', { executed: '0-1-100,7-1-5', expected: ['', ''] }],
    [
      '… under another server_id, as the replica knows its source',
      { executed: '0-1-100,0-9-105', more: { status: { Master_Server_Id: 9 } }, expected: ['', ''] },
    ],
    [
      'of what came from somebody else nobody can tell',
      { executed: '0-1-100,0-7-101', expected: ['', '0-7-1..101'] },
    ],
    [
      'what is of a domain and a server that nobody knows did not come from the primary',
      { executed: '0-1-100,5-7-3', more: { status: { Gtid_IO_Pos: '0-1-100' } }, expected: ['5-7-1..3', ''] },
    ],
    [
      '… unless a receiver says that it stands there',
      { executed: '0-1-100,5-7-3', more: { received: '0-1-100,5-7-3' }, expected: ['', '5-7-1..3'] },
    ],
    [
      '… or a former primary is not there to be asked what marks its own',
      {
        executed: '0-1-100,5-7-3',
        context: { primaries: new Set(['db9']) },
        more: { received: '0-1-100' },
        expected: ['', '5-7-1..3'],
      },
    ],
    [
      'what another node has is shared',
      { executed: '0-2-90,0-1-100', others: '0-2-90,0-1-100', expected: ['', ''] },
    ],
    [
      'what the primary was seen to have is shared',
      { executed: '0-2-90,0-1-100', seen: seen('mariadb', '0-2-90,0-1-100'), expected: ['', ''] },
    ],
    [
      'a former primary may have acknowledged it: nobody can tell',
      { executed: '0-2-110,0-1-100', context: wasPrimary, expected: ['', '0-2-1..110'] },
    ],
    [
      '… and it counts where the primary was seeded after that, and does not name it',
      {
        executed: '0-2-90,0-1-100',
        context: wasPrimary,
        seen: seen('mariadb', '0-1-100', { applied: '0-3-95' }),
        expected: ['', ''],
      },
    ],
    [
      'where nobody has seen the primary, of what it wrote itself nobody can tell',
      { executed: '0-2-90,0-1-100', seen: undefined, expected: ['', '0-2-1..90'] },
    ],
    [
      '… and what else it has counts: others may have been seeded later',
      { executed: '0-7-50,0-1-100', seen: undefined, expected: ['', ''] },
    ],
    [
      'where the primary was seen as a replica only, nobody can tell',
      {
        executed: '0-2-90,0-1-100',
        seen: seen('mariadb', '0-1-100', { isPartial: true }),
        expected: ['', '0-2-1..90'],
      },
    ],
    [
      'where the newest epoch names a node that is not there, nobody can tell',
      { executed: '0-2-90,0-1-100', context: { named: 'db4' }, expected: ['', '0-2-1..90'] },
    ],
  ])('%s', (_, { executed, others = '0-1-100', more, context, expected, ...rest }) => {
    const lastSeen = 'seen' in rest ? rest.seen : SEEN;
    const surveys = [replica('db2', executed, more), replica('db3', others)];
    expect(judged(surveys, lastSeen, context)).toEqual(expected);
  });
  test('a node without a source may have been made the primary: all of it counts', () => {
    const promoted = madeUp('db2', { readOnly: true, executed: '0-1-100,0-2-101' });
    expect(judged([promoted, replica('db3', '0-1-100')], SEEN)).toEqual(['', '']);
  });
  test('a primary that answers proves as much as one that was seen', () => {
    const surveys = [replica('db2', '0-2-90,0-1-100'), replica('db3', '0-1-100')];
    const all = [...surveys, madeUp('db1', { readOnly: true })];
    const before = primaryBefore(madeUpContext(all), 'db1', undefined);
    expect([...(unsharedTransactions(surveys, before).get('db2')?.errant.keys() ?? [])]).toEqual(['0-2']);
  });
});

describe('on MySQL', () => {
  const SEEN_MYSQL = seen('mysql', `${P}:1-100`);
  const all = `${P}:1-100`;
  const own = `${all},${A}:1-3`;
  const epochs = new Map([['db3', 4]]);
  test.each<[string, Case & { readonly received?: string }]>([
    ['what bears its own server_uuid is errant', { executed: own, expected: [`${A}:1-3`, ''] }],
    ['… with a tag, too', { executed: `${all},${A}:batch:1`, expected: [`${A}:batch:1`, ''] }],
    ['what the primary wrote after it was seen is never', { executed: `${P}:1-120`, expected: ['', ''] }],
    ['… with a tag that it had not used before', { executed: `${all},${P}:night:1-5`, expected: ['', ''] }],
    ['what it has received is not', { executed: own, received: `${P}:90-100,${A}:1-3`, expected: ['', ''] }],
    [
      'what bears a uuid that nobody knows is, where all that was received is told',
      { executed: `${all},${UNKNOWN}:1`, received: `${P}:90-100`, expected: [`${UNKNOWN}:1`, ''] },
    ],
    [
      '… not where it was started again since',
      {
        executed: `${all},${UNKNOWN}:1`,
        received: `${P}:90-100`,
        more: { uptimeS: 0 },
        expected: ['', `${UNKNOWN}:1`],
      },
    ],
    ['… nor where it tells nothing', { executed: `${all},${UNKNOWN}:1`, expected: ['', `${UNKNOWN}:1`] }],
    [
      'a former primary may have acknowledged it',
      { executed: own, context: wasPrimary, expected: ['', `${A}:1-3`] },
    ],
    [
      'where nobody has seen the primary, nobody can tell',
      { executed: own, seen: undefined, expected: ['', `${A}:1-3`] },
    ],
    [
      '… unless another node has the epoch that the primary began with: all from before came before',
      { executed: own, seen: undefined, context: { named: 'db1', epochs }, expected: [`${A}:1-3`, ''] },
    ],
    [
      '… and what is of somebody else counts',
      { executed: `${all},${UNKNOWN}:1`, seen: undefined, expected: ['', ''] },
    ],
  ])('%s', (_, { executed, received, others = all, more, context, expected, ...rest }) => {
    const lastSeen = 'seen' in rest ? rest.seen : SEEN_MYSQL;
    const surveys = [mysql('db2', executed, received, more), mysql('db3', others)];
    expect(judged(surveys, lastSeen, context)).toEqual(expected);
  });
});

/** A primary that wrote `wrote`, was seen at `seenAt`, and died; what each replica has received and executed of it, and wrote itself. */
const stories = fc.record({
  flavor: fc.constantFrom<Flavor>('mysql', 'mariadb'),
  before: fc.nat(20),
  wrote: fc.integer({ min: 1, max: 60 }),
  unseen: fc.nat(60),
  isSeen: fc.boolean(),
  domains: fc.integer({ min: 1, max: 2 }),
  replicas: fc.array(
    fc.record({
      received: fc.nat(60),
      executed: fc.nat(60),
      strays: fc.nat(3),
      wasPrimary: fc.boolean(),
      never: fc.boolean(),
    }),
    { minLength: 2, maxLength: 4 },
  ),
});

test('whatever was written where: what the primary may have acknowledged is never left behind, nor are strays taken', () => {
  fc.assert(
    fc.property(stories, ({ flavor, before, wrote, unseen, isSeen, domains, replicas }) => {
      const had = (count: number): string => historyOf(flavor, before, Math.min(count, wrote), domains);
      const nodes = replicas.map((each, index) => {
        const node = `db${index + 2}`;
        const received = Math.min(each.received, wrote);
        const executed = Math.min(each.executed, received);
        return {
          ...each,
          node,
          received,
          survey: storied(flavor, node, had(executed), had(received), each.strays),
        };
      });
      const surveys = nodes.map(({ survey }) => survey);
      const context = madeUpContext(surveys, {
        nodes: surveys.map(({ node }) => node),
        rules: { voters: 1, leaseMs: 5_000, handoverMs: 200 },
        primaries: new Set(nodes.filter((each) => each.wasPrimary).map(({ node }) => node)),
        wishes: { prefer: [], avoid: [], never: nodes.filter(({ never }) => never).map(({ node }) => node) },
      });
      const lastSeen = isSeen ? seen(flavor, had(Math.max(0, wrote - unseen))) : undefined;
      const plan = planned(context, lastSeen);
      const most = Math.max(...nodes.map(({ received }) => received));
      const best = nodes.filter(({ received, strays, never }) => received === most && strays === 0 && !never);
      const chosen = nodes.find(({ node }) => node === plan?.to);
      const proves = isSeen && had(wrote - unseen) !== '';
      if (chosen !== undefined) expect(chosen.received).toBe(most);
      // What a former primary wrote counts as long as nobody knows better.
      if (chosen !== undefined && (proves || !chosen.wasPrimary)) expect(chosen.strays).toBe(0);
      // Where it is known who wrote what, nobody has to be asked.
      const isKnown = proves && nodes.every((each) => !each.wasPrimary);
      if (isKnown && best.length > 0) expect(plan?.to).toBeDefined();
      // By a person's word any node that can be taken is, and what that gives up is told.
      for (const { node, never, received } of nodes.filter((each) => !each.never && each.strays === 0)) {
        const forced = planned(context, lastSeen, { wanted: node, insists: true, acceptsLoss: true });
        expect([never, forced?.to]).toEqual([false, node]);
        if (received < most) expect(forced?.loss.transactions).toBeGreaterThanOrEqual(most - received);
      }
    }),
    { numRuns: 500 },
  );
});

function planned(context: PlanContext, lastSeen: LastSeen | undefined, more = {}) {
  try {
    return planFailover(context, {
      from: 'db1',
      reason: 'dead-primary',
      lastSeen,
      silent: new Map(),
      ...more,
    });
  } catch (error) {
    expect(error).toMatchObject({ code: 'ERR_CHANGE_REFUSED' });
    return undefined;
  }
}

/** `before` transactions of a server that is gone, then `count` of the primary, in so many domains or with so many tags. */
function historyOf(flavor: Flavor, before: number, count: number, domains: number): string {
  const members: string[] = [];
  if (flavor === 'mariadb') {
    if (before > 0) members.push(`0-9-${before}`);
    for (let domain = 0; domain < domains; domain += 1)
      if (count > 0) members.push(`${domain}-1-${before + count}`);
    return members.join(',');
  }
  if (before > 0) members.push(`${uuid(9)}:1-${before}`);
  for (let tag = 0; tag < domains; tag += 1)
    if (count > 0) members.push(`${P}:${tag === 0 ? '' : 'tag:'}1-${count}`);
  return members.join(',');
}

function storied(
  flavor: Flavor,
  node: string,
  executed: string,
  received: string,
  strays: number,
): NodeSurvey {
  const n = Number(node.slice(2));
  if (flavor === 'mysql') {
    const own = strays === 0 ? '' : `,${uuid(n)}:1-${strays}`;
    return mysql(node, `${executed}${own}`, received);
  }
  const last = [...(readTransactions('mariadb', executed) ?? new Map()).values()].map(([range]) =>
    Number(range[1]),
  );
  const own = strays === 0 ? '' : `,0-${n}-${Math.max(0, ...last) + strays}`;
  return replica(node, `${executed}${own}`.replace(/^,/, ''), { received });
}
