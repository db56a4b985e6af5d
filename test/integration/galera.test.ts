/** Three Galera members: one takes the writes, the others read, and both follow when a member is killed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import { roleOf } from '../../src/topology/node-description.js';
import { type GaleraCluster, startGalera } from '../support/galera-cluster.js';
import { eventually } from './eventually.js';

describe.each(['system', 'newest'] as const)('the %s MariaDB', (release) => {
  let galera: GaleraCluster;
  let client: MysqlCluster;

  beforeAll(async () => {
    galera = await startGalera(release, (what, state) => eventually(what, state, 30_000));
    const { app, monitor } = galera.accounts;
    const url = ({ id }: { id: string }): string => `mysql://${app.user}:${app.password}@${id}/shop`;
    client = await createMysqlCluster({
      nodes: galera.nodes.map(url),
      monitor: { credentials: monitor, intervalMs: 200 },
      discover: false,
    });
    await client.query('CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL)');
    await client.query('INSERT INTO t VALUES (1, 0)');
  });
  afterAll(async () => {
    await client?.close();
    await galera?.close();
  });

  const roles = (): Record<string, string> =>
    Object.fromEntries(client.topology().nodes.map((node) => [node.id, roleOf(node)]));
  const writer = (): string | undefined => {
    const state = client.topology().writer;
    return state.kind === 'primary' ? state.node : undefined;
  };
  const readerOf = (): string | undefined => client.explain('SELECT 1').node;

  test('one member writes and the others read', async () => {
    const first = galera.nodes.map(({ id }) => id).sort()[0];
    expect(writer()).toBe(first);
    expect(Object.values(roles()).sort()).toEqual(['primary', 'replica', 'replica']);
    expect(client.topology().warnings).toEqual([]);
    expect(client.topology().nodes[0]).toMatchObject({
      facts: { group: { kind: 'galera', state: 'online', hasQuorum: true } },
    });
    await eventually('a member that is no writer reads', () => readerOf() !== writer());
  });

  test('a scope sees its writes on every member', async () => {
    for (let v = 1; v <= 200; v += 1) {
      const seen = await client.run({}, async () => {
        await client.execute('UPDATE t SET v = ? WHERE id = 1', [v]);
        const [rows] = await client.query<never>('SELECT v, @@server_id AS id FROM t WHERE id = 1');
        return (rows as { v: number; id: number }[])[0];
      });
      expect(seen?.v).toBe(v);
    }
  });

  test('a member that cannot apply is late, and one that is desynced reads nothing', async () => {
    const member = galera.nodes.find(({ id }) => id !== writer());
    if (member === undefined) throw new Error('There is no other member');
    await member.query('SET GLOBAL wsrep_desync = ON');
    await eventually('the donor is left out', () => roles()[member.id] === 'unknown');
    await member.query('SET GLOBAL wsrep_desync = OFF');
    await eventually('it reads again', () => roles()[member.id] === 'replica');
  });

  test('writes and reads follow when the writer is killed', async () => {
    const killed = galera.nodes.find(({ id }) => id === writer());
    if (killed === undefined) throw new Error('There is no writer');
    await killed.kill();
    const write = (): Promise<unknown> => client.query('UPDATE t SET v = v + 1 WHERE id = 1');
    // It waits for the next writer, or was on its way to the last one.
    await write().catch((error) => {
      expect(error).toMatchObject({ code: 'ERR_OUTCOME_UNKNOWN' });
      return write();
    });
    expect(writer()).not.toBe(killed.id);
    expect(roles()[killed.id]).toBe('unknown');
    const [rows] = await client.query<never>('SELECT COUNT(*) AS n FROM t');
    expect((rows as { n: number }[])[0]?.n).toBe(1);
  });
});
