/** Who is ended for a step, and what is said of it, on a session that is made up. */
import { describe, expect, test } from 'vitest';
import { sendStep } from '../../../../src/failover/change/send-step.js';
import type { PlanStep } from '../../../../src/failover/plan/failover-plan.js';
import type { StatusRow } from '../../../../src/mysql/replica-status.js';

const step = (more: Partial<PlanStep>): PlanStep => ({
  id: 'step@db1',
  phase: 'close-old',
  action: 'statement',
  node: 'db1',
  sql: 'CLOSE',
  why: 'a test',
  ...more,
});
const failure = (errno: number): Error => Object.assign(new Error(`error ${errno}`), { errno });
const session = (id: number, waits = 0): StatusRow => ({ id, user: 'app', host: 'web1', waits });

type Answer = (sql: string) => Promise<readonly StatusRow[]>;

async function send(
  more: Partial<PlanStep>,
  ask: Answer,
  askBeside: Answer = async () => [],
  lost?: Error,
): Promise<{ readonly said: readonly string[]; readonly sent: readonly string[]; readonly error: string }> {
  const sent: string[] = [];
  let said: readonly string[] = [];
  const noted =
    (mark: string, answer: Answer): Answer =>
    (sql) => {
      sent.push(`${mark}${sql}`);
      return answer(sql);
    };
  const error = await sendStep(
    { ask: noted('', ask), askBeside: noted('beside: ', askBeside), lost, connection: { threadId: 42 } },
    step(more),
    'CLOSE',
    1_000,
    (words) => {
      said = words;
    },
  ).then(
    () => '',
    (thrown: Error) => thrown.message,
  );
  return { said, sent, error };
}

describe('a statement that waited in vain', () => {
  /** It waits until `until` is ended when it is sent once more, and fails if that does not come. */
  async function sendOnceMore(
    until: string,
    lists: readonly (readonly StatusRow[])[],
    mayKill: (sql: string) => boolean = () => true,
  ): ReturnType<typeof send> {
    let closes = 0;
    let end = (): void => {};
    const freed = new Promise<readonly StatusRow[]>((resolve, reject) => {
      end = () => resolve([]);
      setTimeout(reject, 400, failure(1205));
    });
    freed.catch(() => undefined);
    const left = [...lists];
    return await send(
      { inTheWay: 'WAITERS' },
      async (sql) => {
        if (sql === 'WAITERS') return left[0] ?? [];
        closes += 1;
        if (closes === 1) throw failure(1205);
        return await freed;
      },
      async (sql) => {
        if (sql === 'WAITERS') return left.shift() ?? [];
        if (!mayKill(sql)) throw failure(1095);
        if (sql === until) end();
        return [];
      },
    );
  }
  const kills = (sent: readonly string[]): readonly string[] => sent.filter((sql) => sql.includes('KILL'));

  test('is sent once more, and commits that wait for a replica are ended last: all others that could be acknowledged before', async () => {
    const { said, sent, error } = await sendOnceMore('KILL 7', [
      [session(7, 1), session(8), session(9)],
      [session(7, 1), session(8), session(9), session(10)],
      [session(7, 1), session(9)],
      [session(7, 1)],
    ]);
    expect(error).toBe('');
    expect(kills(sent)).toEqual(['beside: KILL 8', 'beside: KILL 9', 'beside: KILL 10', 'beside: KILL 7']);
    expect(said).toEqual(['ended the sessions 8 (app@web1), 9 (app@web1), 10 (app@web1), 7 (app@web1)']);
  });

  test('ends a commit that waits only when it waited a look before: who is committed with it is in the list by then', async () => {
    const { sent } = await sendOnceMore('KILL 11', [
      [session(7, 1)],
      [session(11, 1)],
      [session(11, 1), session(12)],
      [session(11, 1)],
    ]);
    expect(kills(sent)).toEqual(['beside: KILL 12', 'beside: KILL 11']);
  });

  test('ends no commit that waits while another one that it may not end could be acknowledged with it', async () => {
    const rows = [session(7, 1), session(8)];
    const { said, sent, error } = await sendOnceMore(
      'KILL 7',
      Array.from({ length: 40 }, () => rows),
      (sql) => sql !== 'KILL 8',
    );
    expect([said, error]).toEqual([['could not end 8 (app@web1): error 1095'], 'error 1205']);
    expect(kills(sent)).toEqual(['beside: KILL 8']);
  });

  /** A server on which whoever was ended waits on, until `WAITS` comes for the session that closes. */
  async function sendWhereEndedWait(
    listed: (ended: ReadonlySet<string>) => readonly StatusRow[],
  ): ReturnType<typeof send> {
    const ended = new Set<string>();
    let closes = 0;
    let end = (): void => {};
    const freed = new Promise<readonly StatusRow[]>((resolve, reject) => {
      end = () => resolve([]);
      setTimeout(reject, 900, failure(1205));
    });
    freed.catch(() => undefined);
    return await send(
      { inTheWay: 'WAITERS', endsWaits: 'WAITS {session}' },
      async (sql) => {
        if (sql === 'WAITERS') return listed(ended);
        closes += 1;
        if (closes === 1) throw failure(1205);
        return await freed;
      },
      async (sql) => {
        if (sql === 'WAITERS') return listed(ended);
        if (sql === 'WAITS 42') end();
        ended.add(sql);
        return [];
      },
    );
  }

  test('ends the waits of those that were ended and wait on, when two looks have seen nobody else who would be acknowledged', async () => {
    const { said, sent, error } = await sendWhereEndedWait((ended) =>
      // One more is seen only then: what a server tells of transactions is some moments old.
      ended.has('KILL 8') ? [session(7, 1), session(8), session(9)] : [session(7, 1), session(8)],
    );
    expect(error).toBe('');
    const beside = sent
      .filter((sql) => sql.startsWith('beside: '))
      .map((sql) => sql.slice('beside: '.length));
    expect(beside.filter((sql) => sql !== 'WAITERS')).toEqual(['KILL 8', 'KILL 9', 'KILL 7', 'WAITS 42']);
    const looksBetween = beside.slice(beside.indexOf('KILL 7') + 1, beside.indexOf('WAITS 42'));
    expect(looksBetween.length).toBeGreaterThan(1);
    expect(said).toEqual(['ended the sessions 8 (app@web1), 9 (app@web1), 7 (app@web1)']);
  });

  test('ends no wait while something else could be acknowledged that it cannot end, and names that', async () => {
    const xa = { id: 0, user: 'a prepared XA transaction', host: '', waits: 0 };
    const { said, sent, error } = await sendWhereEndedWait(() => [session(7, 1), xa]);
    expect(error).toBe('error 1205');
    expect(sent.filter((sql) => sql.includes('WAITS '))).toEqual([]);
    expect(said).toEqual(['cannot end a prepared XA transaction']);
  });

  test('is given up where nothing waits for a replica, or the account may not see it; nobody is ended', async () => {
    for (const rows of [[], [session(8)]]) {
      const { said, sent, error } = await send({ inTheWay: 'WAITERS' }, async (sql) => {
        if (sql === 'WAITERS') return rows;
        throw failure(1205);
      });
      expect([said, error]).toEqual([[], 'error 1205']);
      expect(sent).toEqual(['CLOSE', 'WAITERS']);
    }
    const { sent, error } = await send({ inTheWay: 'WAITERS' }, async (sql) => {
      throw failure(sql === 'WAITERS' ? 1227 : 1205);
    });
    expect([sent, error]).toEqual([['CLOSE', 'WAITERS'], 'error 1205']);
  });

  test('ends nobody after another error, when its session is lost, or when it does not say whom', async () => {
    const fails =
      (errno: number): Answer =>
      async () => {
        throw failure(errno);
      };
    expect((await send({ inTheWay: 'WAITERS' }, fails(1290))).sent).toEqual(['CLOSE']);
    expect((await send({ inTheWay: 'WAITERS' }, fails(1205), undefined, new Error('gone'))).sent).toEqual([
      'CLOSE',
    ]);
    expect((await send({}, fails(1205))).sent).toEqual(['CLOSE']);
  });
});

describe('a step that ends whom it lists', () => {
  test('ends nobody where the account may not look, and says so to nobody', async () => {
    for (const errno of [1227, 1142]) {
      const { said, error } = await send({ ends: true }, async () => {
        throw failure(errno);
      });
      expect([said, error]).toEqual([[], '']);
    }
    const { error } = await send({ ends: true }, async () => {
      throw failure(1064);
    });
    expect(error).toBe('error 1064');
  });

  test('takes a session that has ended by itself for ended, and tells of many in few words', async () => {
    let isFirst = true;
    const many = Array.from({ length: 12 }, (_, index) => session(index + 1));
    const { said } = await send({ ends: true }, async (sql) => {
      if (sql === 'KILL 1') throw failure(1094);
      const rows = sql === 'CLOSE' && isFirst ? many : [];
      isFirst = false;
      return rows;
    });
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/^ended the sessions 2 \(app@web1\), .*11 \(app@web1\) and 1 more$/);
  });
});
