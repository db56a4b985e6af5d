/** Processes that are begun when the primary is dead already: they know it by the votes that it still has. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster, type FailoverOptions } from '../../src/index.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { writableNodes } from '../support/crash-at-step.js';
import { askInOldWords } from '../support/replication-words.js';
import { stormlamp } from '../support/run-node.js';
import { CLIENT_DATABASES } from './client-databases.js';
import { eventually } from './eventually.js';

const TIMEOUT = { timeout: 300_000 };

describe.each(CLIENT_DATABASES)('$name', ({ options, flavor }) => {
  let servers: LocalCluster;
  let folder: string;
  let failover: FailoverOptions;
  let open: Cluster | undefined;

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, php: false, memcached: 0 });
    folder = mkdtempSync(join(tmpdir(), 'stormlamp-late-'));
    const { admin, repl } = servers.accounts;
    failover = {
      mode: 'auto',
      credentials: admin,
      replication: repl,
      maxLoss: 'any',
      leaseMs: 2_000,
      blockMs: 0,
    };
    writeFileSync(join(folder, 'options.json'), JSON.stringify({ mysql: servers.options().mysql, failover }));
  }, 120_000);
  afterAll(async () => {
    await open?.close();
    await servers?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  async function command(...words: readonly string[]): Promise<{ code: number | null; answer: object }> {
    const all = ['failover', ...words, '--config', join(folder, 'options.json'), '--json'];
    const { code, stdout } = await stormlamp(all);
    return { code, answer: JSON.parse(stdout) as object };
  }

  async function followed(primary: LocalDatabaseNode): Promise<void> {
    await eventually(`all that run follow ${primary.name}`, async () => {
      const rest = servers.databases.filter((node) => node !== primary && node.running);
      const word = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
      const all = await Promise.all(rest.map((node) => node.query(`SHOW ${word} STATUS`)));
      return all.every(
        ([row]) =>
          Number(row?.['Source_Port'] ?? row?.['Master_Port']) === primary.port &&
          (row?.['Replica_IO_Running'] ?? row?.['Slave_IO_Running']) === 'Yes',
      );
    });
  }

  async function primary(): Promise<LocalDatabaseNode> {
    return await eventually('one node takes writes', async () => {
      const [only, second] = await writableNodes(servers);
      return second === undefined ? only : undefined;
    });
  }

  test('an operator at a terminal', TIMEOUT, async () => {
    // The primary of now is not the one that the options name.
    const [named] = servers.replicas;
    expect(await command('switchover', '--to', named?.id ?? '')).toMatchObject({ code: 0 });
    const old = await primary();
    await followed(old);
    await old.kill();
    expect(await command('plan', 'failover')).toMatchObject({
      code: 0,
      answer: { plan: { kind: 'failover', from: old.id, loss: { known: false } } },
    });
    const made = await command('failover');
    expect(made).toMatchObject({ code: 0, answer: { ok: true, plan: { from: old.id } } });
    const next = await primary();
    expect(next).not.toBe(old);
    await followed(next);
    await old.start();
  });

  test('a service of which all processes are begun anew', TIMEOUT, async () => {
    const before = await primary();
    open = await createCluster({ mysql: servers.options().mysql, failover });
    await followed(before);
    await open.close();
    await before.kill();
    open = await createCluster({ mysql: servers.options().mysql, failover });
    const next = await eventually(
      'another node takes writes',
      async () => (await writableNodes(servers))[0],
      60_000,
    );
    expect(next).not.toBe(before);
    await before.start();
    await followed(next);
    await open.close();
  });

  test(
    'somebody has changed the primary by hand, and the votes and the memory of the cluster differ',
    TIMEOUT,
    async () => {
      const old = await primary();
      const [other, third] = servers.databases.filter((node) => node !== old);
      if (other === undefined || third === undefined) throw new Error('There are too few nodes');
      const known = async (node: LocalDatabaseNode): Promise<string> => {
        const [row] = await node.query('SELECT epoch, primary_node FROM ha_meta.topology');
        return `${row?.['primary_node']}, epoch ${row?.['epoch']}`;
      };
      // A node that was started again may still know an older primary, by an older epoch.
      const before = await known(old);
      const knows = (node: LocalDatabaseNode, what: string) =>
        eventually(`${node.name} knows ${what}`, async () => (await known(node)) === what);
      await Promise.all([knows(other, before), knows(third, before)]);
      // It reaches one replica, and the other one has not executed it when the primary dies.
      await askInOldWords(other, flavor, 'STOP SLAVE SQL_THREAD');
      await old.query(`UPDATE ha_meta.topology SET primary_node='${other.id}'`);
      await knows(third, await known(old));
      expect(await known(other)).toBe(before);
      await old.kill();
      expect(await command('failover')).toMatchObject({
        code: 1,
        answer: { error: { code: 'ERR_CHANGE_REFUSED', message: expect.stringContaining('by hand') } },
      });
      expect(await writableNodes(servers)).toEqual([]);
      await askInOldWords(other, flavor, 'START SLAVE SQL_THREAD');
      const { code, answer } = await command('failover', '--force');
      const { ok, at, error, plan } = answer as Record<string, unknown>;
      // One that failed says at which step, and why.
      expect({ code, ok, at, error }).toEqual({ code: 0, ok: true });
      expect(plan).toMatchObject({ from: old.id });
      expect(await primary()).not.toBe(old);
    },
  );
});
