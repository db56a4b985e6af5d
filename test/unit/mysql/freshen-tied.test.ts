import { describe, expect, test } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { answer } from '../../../src/mysql/classifier/answer.js';
import { freshenTied } from '../../../src/mysql/freshen-tied.js';
import type { PhysicalConnection } from '../../../src/mysql/physical-connection.js';
import { ActiveScope, type MysqlScope } from '../../../src/mysql/scope.js';
import type { SessionPorts } from '../../../src/mysql/session-ports.js';
import { FRESH_SESSION, type SessionState } from '../../../src/mysql/session-state.js';

const state: SessionState = { ...FRESH_SESSION, pins: [{ pin: 'user-variable', name: undefined }] };

interface World {
  /** Why the node is not fit, one answer after the other. */
  readonly unfit?: readonly (string | undefined)[];
  readonly isSeen?: boolean;
  readonly writer?: string | undefined;
  readonly lacks?: boolean;
  readonly canAwait?: boolean;
  readonly hasBarrier?: boolean;
  /** What the server answers to a wait. */
  readonly answer?: object | Error;
  /** Whether the read asks about the statement before. */
  readonly asksBefore?: boolean;
  /** Why no other connection to the node can be had. */
  readonly sideError?: Error;
}

/** A connection to the replica `b`, and what was asked there. */
function made(world: World): {
  readonly asked: string[];
  readonly learnt: string[];
  freshen(scope?: MysqlScope, signal?: AbortSignal): Promise<boolean>;
} {
  const asked: string[] = [];
  const learnt: string[] = [];
  const answers = [...(world.unfit ?? [])];
  const ports = {
    blockMs: 30_000,
    checkOpen: () => undefined,
    node: () => node,
    router: {
      writer: 'writer' in world ? world.writer : 'a',
      topology: {
        nodes: [
          { id: 'a', state: 'up' },
          world.isSeen === false ? { id: 'b', state: 'new' } : { id: 'b', state: 'up' },
        ],
      },
      whyUnfit: () => (answers.length > 1 ? answers.shift() : answers[0]),
      hasBarrier: () => world.hasBarrier === true,
      mayLack: () => world.lacks === true,
      canAwait: () => world.canAwait !== false,
      positions: { beginWait: () => () => undefined, learn: (node: string) => learnt.push(node) },
    },
  };
  const connectionOf = (name: string): object => ({
    node: 'b',
    onLost: () => () => undefined,
    ask: async (sql: string) => {
      asked.push(`${name}${sql}`);
      if (world.answer instanceof Error) throw world.answer;
      return [world.answer];
    },
  });
  const connection = connectionOf('');
  const node = {
    connectAside: async () => {
      if (world.sideError !== undefined) throw world.sideError;
      return { ...connectionOf('aside: '), destroy: () => asked.push('closed') };
    },
  };
  return {
    asked,
    learnt,
    freshen: (options, signal) => {
      const scope =
        options === undefined
          ? undefined
          : new ActiveScope(options, undefined, { consistency: 'session', waitMs: 20 });
      const context = { scope, deadline: Deadline.of({ signal }) };
      return freshenTied(
        ports as unknown as SessionPorts,
        connection as unknown as PhysicalConnection,
        state,
        answer('read', 'primary', 'it uses a user variable', { asksBefore: world.asksBefore === true }),
        context,
      );
    },
  };
}

const tied = (why: string): object => ({
  code: 'ERR_NO_REPLICA',
  message: expect.stringMatching(new RegExp(`user-variable.*ties it to b.*${why}`)),
  rejected: [
    { node: 'a', reason: expect.stringContaining('tied to b') },
    { node: 'b', reason: expect.stringMatching(why) },
  ],
});

const after = '0-1-5';

describe('a read of a session that is tied to a replica', () => {
  test('goes on where nothing is asked of it', async () => {
    const { asked, freshen } = made({});
    expect(await freshen()).toBe(true);
    expect(await freshen({})).toBe(true);
    expect(await freshen({ after })).toBe(true);
    expect(asked).toEqual([]);
  });

  test('is refused where the node is not fit', async () => {
    const { freshen } = made({ unfit: ['it may be 9 ms behind'] });
    await expect(freshen()).rejects.toMatchObject(tied('it may be 9 ms behind'));
  });

  test.each<[string, World]>([
    ['the node was not seen a moment ago', { isSeen: false }],
    ['there is no primary', { writer: undefined }],
  ])('waits a little while %s', async (_name, world) => {
    const { freshen } = made({ ...world, unfit: ['not now', 'not now', undefined] });
    expect(await freshen()).toBe(true);
    const aborted = made({ ...world, unfit: ['not now'] });
    expect(await aborted.freshen(undefined, AbortSignal.timeout(60))).toBe(false);
  });

  test('waits there for what the scope must see', async () => {
    const position = { timed_out: 0, position: '0-1-5', logged: '0-1-5' };
    const { asked, learnt, freshen } = made({ lacks: true, answer: position });
    expect(await freshen({ after })).toBe(true);
    expect(asked).toEqual([expect.stringContaining("MASTER_GTID_WAIT('0-1-5', 0.020)")]);
    expect(learnt).toEqual(['b']);
    expect(await freshen({ consistency: 'eventual' })).toBe(true);
    expect(asked).toHaveLength(1);
  });

  test('is refused where it waited in vain', async () => {
    const { learnt, freshen } = made({ lacks: true, answer: { timed_out: -1 } });
    await expect(freshen({ after })).rejects.toMatchObject(tied('did not have 0-1-5 within 20 ms'));
    expect(learnt).toEqual([]);
  });

  test('is refused where it cannot be waited for', async () => {
    const { asked, freshen } = made({ lacks: true, canAwait: false });
    await expect(freshen({ after })).rejects.toMatchObject(tied('did not have 0-1-5'));
    expect(asked).toEqual([]);
  });

  test('has a member of a Galera cluster catch up', async () => {
    const { asked, freshen } = made({ hasBarrier: true, answer: {} });
    expect(await freshen({})).toBe(true);
    expect(asked).toEqual([]);
    expect(await freshen({ after })).toBe(true);
    expect(asked).toEqual([expect.stringContaining('wsrep_sync_wait')]);
    const late = made({ hasBarrier: true, answer: Object.assign(new Error('late'), { errno: 1969 }) });
    await expect(late.freshen({ after })).rejects.toMatchObject(tied('what its cluster had committed'));
  });

  describe('that asks about the statement before', () => {
    const world = { asksBefore: true, lacks: true };

    test('is waited for over another connection', async () => {
      const position = { timed_out: 0, position: '0-1-5', logged: '0-1-5' };
      const { asked, freshen } = made({ ...world, answer: position });
      expect(await freshen({ after })).toBe(true);
      expect(asked).toEqual([expect.stringContaining('aside: SELECT MASTER_GTID_WAIT'), 'closed']);
      const galera = made({ asksBefore: true, hasBarrier: true, answer: {} });
      expect(await galera.freshen({ after })).toBe(true);
      expect(galera.asked).toEqual([expect.stringMatching(/^aside: .*wsrep_sync_wait/), 'closed']);
    });

    test('is refused where there is no other connection, and its own stays', async () => {
      const { asked, freshen } = made({ ...world, sideError: new Error('all are in use') });
      await expect(freshen({ after })).rejects.toMatchObject(tied('another connection.*all are in use'));
      expect(asked).toEqual([]);
      const gone = Object.assign(new Error('gone'), { code: 'PROTOCOL_CONNECTION_LOST', fatal: true });
      const lost = made({ ...world, answer: gone });
      await expect(lost.freshen({ after })).rejects.toMatchObject(tied('gone'));
      expect(lost.asked).toEqual([expect.any(String), 'closed']);
    });

    test('gives up at the deadline', async () => {
      const { freshen } = made({ ...world, sideError: new Error('all are in use') });
      expect(await freshen({ after }, AbortSignal.abort())).toBe(false);
    });
  });

  test('hears what went wrong with the connection', async () => {
    const gone = Object.assign(new Error('gone'), { code: 'PROTOCOL_CONNECTION_LOST', fatal: true });
    await expect(made({ lacks: true, answer: gone }).freshen({ after })).rejects.toBe(gone);
  });
});
