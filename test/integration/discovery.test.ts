/** Nodes that are not listed are found: from any one of them, under any name, and in the DNS. */
import dns from 'node:dns';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { checkDatabases } from '../../src/cli/doctor/check-databases.js';
import { describeDatabase, lookAtCluster } from '../../src/cli/status/look-at-cluster.js';
import { TopSampler } from '../../src/cli/top/top-sampler.js';
import { createMysqlCluster, type MysqlCluster } from '../../src/mysql/mysql-cluster.js';
import type { MysqlOptions } from '../../src/mysql/mysql-options.js';
import { type LocalCluster, type LocalDatabaseNode, startLocalCluster } from '../../src/testing/index.js';
import { roleOf } from '../../src/topology/node-description.js';
import { startDnsServer } from '../support/dns-server.js';
import { CLIENT_DATABASES, wholeTest } from './client-databases.js';
import { eventually } from './eventually.js';

describe.each(CLIENT_DATABASES)('$name', ({ name, flavor, options }) => {
  const whole = wholeTest(name);
  let servers: LocalCluster;
  const clients: MysqlCluster[] = [];
  const forwards: Server[] = [];

  beforeAll(async () => {
    servers = await startLocalCluster({ ...options, replicas: 2, memcached: 0, php: false });
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    for (const server of forwards.splice(0)) server.close();
  });
  afterAll(async () => {
    await servers?.close();
  });

  const account = (): string => {
    const { user, password } = servers.accounts.app;
    return `${user}:${encodeURIComponent(password)}`;
  };
  const urlOf = ({ id }: Pick<LocalDatabaseNode, 'id'>): string =>
    `mysql://${account()}@${id}/${servers.database}`;

  async function clientFor(options: MysqlOptions): Promise<{ client: MysqlCluster; failures: string[] }> {
    const credentials = servers.accounts.monitor;
    const client = await createMysqlCluster({ ...options, monitor: { credentials, intervalMs: 200 } });
    clients.push(client);
    const failures: string[] = [];
    client.on('discovery-failed', ({ error }) => failures.push(error.message));
    return { client, failures };
  }
  /** Every server by its own name, so that nothing has to be found. */
  const listed = (): MysqlOptions => ({
    primary: urlOf(servers.primary),
    replicas: servers.replicas.map(urlOf),
  });
  /** For tests in which only the DNS may tell: what the servers report leads nowhere. */
  const nowhere = (address: string): string => (address.startsWith('127.0.0.1:') ? '127.0.0.1:1' : address);
  const warningOf = (client: MysqlCluster, wanted: string): string | undefined =>
    client.topology().warnings.find(({ code }) => code === wanted)?.message;
  const rolesOf = (client: MysqlCluster): Record<string, string> =>
    Object.fromEntries(client.topology().nodes.map((node) => [node.id, roleOf(node)]));
  const all = (): Record<string, string> =>
    Object.fromEntries(servers.databases.map(({ id, role }) => [id, role]));

  test('without the privilege to list replicas the source is found, and the GRANT is named', async () => {
    const [one] = servers.replicas;
    if (one === undefined) throw new Error('There is no replica');
    const { client } = await clientFor({ nodes: [urlOf(one)] });
    expect(rolesOf(client)).toEqual({ [servers.primary.id]: 'primary', [one.id]: 'replica' });
    const { client: again, failures } = await clientFor({ nodes: [urlOf(one)] });
    await again.query('SELECT 1');
    const grant = flavor === 'mysql' ? 'REPLICATION SLAVE' : 'REPLICATION MASTER ADMIN';
    // The first look was over before anybody could listen.
    await eventually('the GRANT is named', () => failures.some((text) => text.includes(`GRANT ${grant}`)));
    const { monitor } = servers.accounts;
    await servers.primary.query(`GRANT ${grant} ON *.* TO '${monitor.user}'@'%'`);
    await servers.waitForReplication();
  });

  test('one node is enough, whichever it is', async () => {
    for (const node of servers.databases) {
      const { client } = await clientFor({ nodes: [urlOf(node)] });
      expect(rolesOf(client)).toEqual(all());
      await client.query('DO 1');
      const [rows] = await client.query<never>('SELECT @@server_id AS id');
      expect((rows as { id: number }[])[0]?.id).not.toBe(servers.primary.serverId);
    }
  });

  whole('nothing is found when nothing shall be', async () => {
    const { client } = await clientFor({ primary: urlOf(servers.primary), discover: false });
    expect(rolesOf(client)).toEqual({ [servers.primary.id]: 'primary' });
  });

  whole('servers that call each other by other addresses are reached by those of the map', async () => {
    const map = Object.fromEntries(
      servers.databases.map(({ id, realPort }) => [id, `localhost:${realPort}`]),
    );
    const { client } = await clientFor({
      nodes: [urlOf({ id: map[servers.primary.id] ?? '' })],
      addressMap: map,
    });
    expect(Object.keys(rolesOf(client)).sort()).toEqual(Object.values(map).sort());
  });

  whole('a server under a second name is not found again', async () => {
    const [one] = servers.replicas;
    const { client } = await clientFor({
      primary: urlOf({ id: `localhost:${servers.primary.port}` }),
      replicas: [urlOf({ id: `localhost:${one?.port}` })],
    });
    const names = await eventually('the third node is found', () => {
      const known = Object.keys(rolesOf(client));
      return known.length < 3 ? undefined : known;
    });
    expect(names).toHaveLength(3);
    expect(names.slice(0, 2)).toEqual([`localhost:${servers.primary.port}`, `localhost:${one?.port}`]);
    expect(client.topology().warnings).toEqual([]);
  });

  whole('one that was found while its listed name was down is given up when that comes back', async () => {
    const [one] = servers.replicas;
    if (one === undefined) throw new Error('There is no replica');
    const forward = await forwardTo(one, '127.0.0.9', 0);
    const { port } = forward.address() as { port: number };
    forward.close();
    const { client } = await clientFor({
      primary: urlOf(servers.primary),
      replicas: [urlOf({ id: `127.0.0.9:${port}` })],
    });
    expect(Object.keys(rolesOf(client))).toContain(one.id);
    await forwardTo(one, '127.0.0.9', port);
    await eventually('the listed name serves, and the other one is gone', () => {
      const roles = rolesOf(client);
      return roles[`127.0.0.9:${port}`] === 'replica' && roles[one.id] === undefined;
    });
    expect(client.stats().map(({ node }) => node)).not.toContain(one.id);
  });

  whole('a replica that joins later is found', async () => {
    const [one] = servers.replicas;
    if (one === undefined) throw new Error('There is no replica');
    await one.stop();
    const { client } = await clientFor({ primary: urlOf(servers.primary) });
    // The primary goes on naming a replica for a while that has left it: it is asked, and does not answer.
    expect(rolesOf(client)[one.id] ?? 'unknown').toBe('unknown');
    await one.start();
    await eventually('the replica is found', () => rolesOf(client)[one.id] === 'replica');
  });

  /** Takes connections on an address of its own, as another machine would. */
  async function forwardTo(node: LocalDatabaseNode, host: string, port: number): Promise<Server> {
    const server = createServer((socket) => {
      const upstream = connect(node.port, node.host);
      socket.on('error', () => upstream.destroy());
      upstream.on('error', () => socket.destroy());
      socket.pipe(upstream).pipe(socket);
    });
    forwards.push(server);
    await new Promise<void>((done, fail) => server.once('error', fail).listen(port, host, done));
    return server;
  }

  whole('every address of a name is a node, and one that is added later, too', async () => {
    const [one, two] = servers.replicas;
    if (one === undefined || two === undefined) throw new Error('There are no two replicas');
    const first = await forwardTo(servers.primary, '127.0.0.2', 0);
    const { port } = first.address() as { port: number };
    await forwardTo(one, '127.0.0.3', port);
    await forwardTo(two, '127.0.0.4', port);
    const records = { a: { 'db.test': ['127.0.0.3', '127.0.0.2'] }, srv: {} };
    const dns = await startDnsServer(records);
    const { client } = await clientFor({
      primary: urlOf({ id: `db.test:${port}` }),
      discover: { nameServers: [dns.address], resolveIntervalMs: 200 },
      addressMap: nowhere,
    });
    expect(rolesOf(client)).toEqual({ [`127.0.0.2:${port}`]: 'primary', [`127.0.0.3:${port}`]: 'replica' });
    // The only address that the name has now, and a new one.
    records.a['db.test'] = ['127.0.0.4'];
    await eventually('the new address is a node', () => rolesOf(client)[`127.0.0.4:${port}`] === 'replica');
    records.a['db.test'] = ['127.0.0.2'];
    await client.query('SELECT 1');
    expect(Object.keys(rolesOf(client))).toHaveLength(3);
    await dns.close();
  });

  async function followsMovingName(urlAt: (port: number) => string): Promise<void> {
    const [one] = servers.replicas;
    if (one === undefined) throw new Error('There is no replica');
    const first = await forwardTo(servers.primary, '127.0.0.2', 0);
    const { port } = first.address() as { port: number };
    await forwardTo(one, '127.0.0.3', port);
    const records = {
      a: { 'moving.test': ['127.0.0.2'] },
      srv: { '_mysql._tcp.shop.test': [{ name: 'moving.test', port }] },
    };
    const server = await startDnsServer(records);
    const lookup = dns.lookup;
    // The system's own resolver, which connects, has to know the name as well.
    const known = (host: string, ...rest: never[]): void =>
      (lookup as (...args: unknown[]) => void)(host === 'moving.test' ? records.a[host][0] : host, ...rest);
    dns.lookup = known as typeof lookup;
    syncBuiltinESMExports();
    try {
      const { client } = await clientFor({
        nodes: [urlAt(port)],
        discover: { nameServers: [server.address], resolveIntervalMs: 200 },
        addressMap: () => '127.0.0.1:1',
      });
      const served = async (): Promise<unknown> => {
        const [rows] = await client.query<never>({ sql: 'SELECT @@server_id AS id', maxLagMs: Infinity });
        return (rows as { id: number }[])[0]?.id;
      };
      expect(await served()).toBe(servers.primary.serverId);
      expect(rolesOf(client)).toEqual({ [`moving.test:${port}`]: 'primary' });
      await served();
      records.a['moving.test'] = ['127.0.0.3'];
      await eventually(
        'the monitor sees a replica',
        () => rolesOf(client)[`moving.test:${port}`] === 'replica',
      );
      for (let read = 0; read < 20; read += 1) expect(await served()).toBe(one.serverId);
    } finally {
      dns.lookup = lookup;
      syncBuiltinESMExports();
      await server.close();
    }
  }

  test('a name with one address is followed when it comes to stand for another server, although the old one lives', () =>
    followsMovingName((port) => urlOf({ id: `moving.test:${port}` })));

  whole('so is a name that a service record gives', () =>
    followsMovingName(() => `mysql+srv://${account()}@shop.test/${servers.database}`),
  );

  whole('a service record names the nodes', async () => {
    const srv = {
      '_mysql._tcp.shop.test': servers.databases.map(({ port }) => ({ name: 'localhost', port })),
    };
    const dns = await startDnsServer({ a: {}, srv });
    const { client } = await clientFor({
      nodes: [`mysql+srv://${account()}@shop.test/${servers.database}`],
      discover: { nameServers: [dns.address] },
    });
    expect(Object.values(rolesOf(client)).sort()).toEqual(['primary', 'replica', 'replica']);
    const missing = createMysqlCluster({
      nodes: [`mysql+srv://${account()}@nothing.test/x`],
      discover: { nameServers: [dns.address] },
    });
    await expect(missing).rejects.toThrow(/no servers for the service _mysql._tcp.nothing.test/);
    await dns.close();
  });

  whole('the doctor and top look at the servers that a service record names', async () => {
    const srv = {
      '_mysql._tcp.shop.test': servers.databases.map(({ port }) => ({ name: 'localhost', port })),
    };
    const dns = await startDnsServer({ a: {}, srv });
    const mysql: MysqlOptions = {
      nodes: [`mysql+srv://${account()}@shop.test/${servers.database}`],
      discover: { nameServers: [dns.address] },
      monitor: { credentials: servers.accounts.monitor },
    };
    const ids = servers.databases.map(({ port }) => `localhost:${port}`).sort();
    const [one] = servers.replicas;
    const word = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
    await one?.query(`STOP ${word} SQL_THREAD`);
    const sampler = await TopSampler.open({ options: { mysql }, source: 'a test' });
    try {
      const checks = await checkDatabases(mysql, new AbortController().signal);
      const seen = (what: string, state: string): (string | null)[] =>
        checks.flatMap((check) => (check.what === what && check.state === state ? [check.subject] : []));
      expect(seen('login of the application', 'ok').sort()).toEqual(ids);
      expect(seen('replication', 'failed')).toEqual([`localhost:${one?.port}`]);
      expect(checks.filter(({ what }) => what === 'who takes writes')).toMatchObject([
        { state: 'ok', found: `localhost:${servers.primary.port}` },
      ]);
      await sampler.sample();
      const { databases } = sampler.report();
      expect(databases.map(({ node, role }) => [node, role]).sort()).toEqual(
        servers.databases.map(({ port, role }) => [`localhost:${port}`, role]).sort(),
      );
    } finally {
      await sampler.close();
      await one?.query(`START ${word} SQL_THREAD`);
      await dns.close();
    }
  });

  whole('top tells that a node is down which it has found itself', async () => {
    const [one] = servers.replicas;
    if (one === undefined) throw new Error('There is no replica');
    const monitor = { credentials: servers.accounts.monitor, intervalMs: 200 };
    const mysql = { primary: urlOf(servers.primary), monitor };
    const sampler = await TopSampler.open({ options: { mysql }, source: 'a test' });
    const rolesNow = async (): Promise<readonly unknown[]> => {
      await sampler.sample();
      const { ok, databases } = sampler.report();
      return [ok, Object.fromEntries(databases.map(({ node, role }) => [node, role]))];
    };
    try {
      expect(await rolesNow()).toEqual([true, all()]);
      await one.stop();
      expect(await rolesNow()).toEqual([false, { ...all(), [one.id]: 'down' }]);
    } finally {
      await sampler.close();
      await one.start();
    }
  });

  whole(
    'a server that a service record names later is found, and one that it names no more stays',
    async () => {
      const name = '_mysql._tcp.shop.test';
      const [one, two] = servers.replicas.map(({ port }) => ({ name: 'localhost', port }));
      const first = { name: 'localhost', port: servers.primary.port };
      if (one === undefined || two === undefined) throw new Error('There are no two replicas');
      const records = { a: {}, srv: { [name]: [first, one] } };
      const dns = await startDnsServer(records);
      const { client } = await clientFor({
        nodes: [`mysql+srv://${account()}@shop.test/${servers.database}`],
        discover: { nameServers: [dns.address], resolveIntervalMs: 200 },
        addressMap: nowhere,
      });
      expect(Object.keys(rolesOf(client)).sort()).toEqual(
        [first, one].map(({ port }) => `localhost:${port}`).sort(),
      );
      records.srv[name] = [two, one];
      await eventually('the new server serves', () => rolesOf(client)[`localhost:${two.port}`] === 'replica');
      records.srv[name] = [];
      await client.query('DO 1');
      expect(rolesOf(client)[`localhost:${first.port}`]).toBe('primary');
      expect(Object.keys(rolesOf(client))).toHaveLength(3);
      await dns.close();
    },
  );

  whole('a map or a resolver that fails is told with its name, and what is known is used', async () => {
    let isBroken = true;
    const addressMap = (): undefined => {
      if (isBroken) throw new Error('no map today');
    };
    const { client, failures } = await clientFor({ primary: urlOf(servers.primary), addressMap });
    expect(rolesOf(client)).toEqual({ [servers.primary.id]: 'primary' });
    await client.query('SELECT 1');
    // The first look was over before anybody listened.
    await eventually('it is told', () =>
      failures.some((text) => text.includes('`mysql.addressMap` failed for')),
    );
    expect(failures.join()).toContain('no map today');
    isBroken = false;
    await eventually('the others are found', () => Object.keys(rolesOf(client)).length === 3);

    const fails = (): never => {
      throw new Error('no names today');
    };
    const { client: nameless, failures: told } = await clientFor({
      primary: urlOf({ id: `localhost:${servers.primary.port}` }),
      discover: { resolver: { addresses: fails, services: fails }, resolveIntervalMs: 200 },
    });
    await nameless.query('DO 1');
    await eventually('it is told', () =>
      told.some((text) =>
        text.includes('`mysql.discover.resolver.addresses`, asked for localhost, failed: no names today'),
      ),
    );
  });

  whole(
    'a server that was found and does not let the application in is told, and the others serve',
    async () => {
      const [one, two] = servers.replicas;
      if (one === undefined || two === undefined) throw new Error('There are no two replicas');
      const lock = async (how: 'LOCK' | 'UNLOCK'): Promise<void> => {
        if (flavor === 'mysql') await one.query('SET GLOBAL super_read_only = 0');
        await one.query('SET SESSION sql_log_bin = 0');
        await one.query(`ALTER USER '${servers.accounts.app.user}'@'%' ACCOUNT ${how}`);
        await one.query('SET SESSION sql_log_bin = 1');
        if (flavor === 'mysql') await one.query('SET GLOBAL super_read_only = 1');
      };
      await lock('LOCK');
      try {
        const { client } = await clientFor({ primary: urlOf(servers.primary) });
        const failed = new Set<string>();
        client.on('connect-failed', ({ node }) => failed.add(node));
        await eventually('it is a node', () => rolesOf(client)[one.id] === 'replica');
        await eventually('a read has met it', async () => {
          await client.query('SELECT 1');
          return failed.size > 0;
        });
        expect([...failed]).toEqual([one.id]);
      } finally {
        await lock('UNLOCK');
      }
    },
  );

  test('two servers with one server_id are told with both names', async () => {
    const [one, two] = servers.replicas;
    if (one === undefined || two === undefined) throw new Error('There are no two replicas');
    const { client } = await clientFor(listed());
    const warning = () => warningOf(client, 'duplicate-server-id');
    await two.query(`SET GLOBAL server_id = ${one.serverId}`);
    try {
      const message = await eventually('it is told', warning);
      for (const text of [one.id, two.id, `server_id ${one.serverId}`, 'They are two servers'])
        expect(message).toContain(text);
    } finally {
      await two.query(`SET GLOBAL server_id = ${two.serverId}`);
    }
    await eventually('nothing is told any more', () => warning() === undefined);
  });

  if (flavor === 'mysql')
    test('a data directory that was copied is told with both names, by status and doctor, too', async () => {
      const [one, two] = servers.replicas;
      if (one === undefined || two === undefined) throw new Error('There are no two replicas');
      const [from = '', to = ''] = await Promise.all(
        [one, two].map(async (node) => {
          const [row] = await node.query('SELECT @@datadir AS folder');
          return join(String(row?.['folder']), 'auto.cnf');
        }),
      );
      const own = await readFile(to);
      await copyFile(from, to);
      await two.restart();
      try {
        const { client } = await clientFor(listed());
        const message = await eventually('it is told', () => warningOf(client, 'duplicate-server-uuid'));
        for (const text of [one.id, two.id, 'auto.cnf']) expect(message).toContain(text);
        expect(Object.keys(rolesOf(client))).toHaveLength(3);
        const mysql = { ...listed(), monitor: { credentials: servers.accounts.monitor } };
        const report = await lookAtCluster({ options: { mysql }, source: 'a test' });
        expect(JSON.stringify(report)).toContain('"code":"duplicate-server-uuid"');
        const checks = await checkDatabases(mysql, new AbortController().signal);
        const check = checks.find(({ what }) => what === 'server_uuid of each node');
        expect(check).toMatchObject({ state: 'failed', found: expect.stringContaining(one.id) });
      } finally {
        await writeFile(to, own);
        await two.restart();
        // A source that is asked by two servers with one uuid sends one of them away for good.
        for (const node of [one, two]) {
          await node.query('STOP REPLICA');
          await node.query('START REPLICA');
        }
        await servers.waitForReplication();
      }
    });

  test('below a replica that gets nothing, or hangs, nobody serves what may be too old', async () => {
    const [one, two] = servers.replicas;
    if (one === undefined || two === undefined) throw new Error('There are no two replicas');
    const word = flavor === 'mysql' ? 'REPLICA' : 'SLAVE';
    const follow = async ({ port }: LocalDatabaseNode): Promise<void> => {
      await two.query(`STOP ${word}`);
      await two.query(
        flavor === 'mysql'
          ? `CHANGE REPLICATION SOURCE TO SOURCE_PORT=${port}`
          : `CHANGE MASTER TO MASTER_PORT=${port}, MASTER_USE_GTID=slave_pos`,
      );
      await two.query(`START ${word}`);
    };
    await servers.primary.query(`CREATE TABLE ${servers.database}.chain (id INT)`);
    await servers.waitForReplication();
    await follow(one);
    try {
      const { client } = await clientFor({ ...listed(), reads: { maxLagMs: 2_000 } });
      const seen = (node: LocalDatabaseNode) =>
        client.explain('SELECT 1').considered.find((each) => each.node === node.id);
      const isFit = (node: LocalDatabaseNode): boolean =>
        seen(node)?.fit === true || seen(node)?.reason === 'another node is preferred';
      const serves = (): boolean => isFit(one) && isFit(two);
      const upstream = (): unknown =>
        client
          .topology()
          .nodes.flatMap((node) => (node.id === two.id && node.state === 'up' ? node.upstream : []));
      await eventually('both serve, one behind the other', serves);
      expect(upstream()).toEqual([one.id, servers.primary.id]);

      await one.query(`STOP ${word} IO_THREAD`);
      await eventually('neither serves', () => !isFit(one) && !isFit(two));
      expect(seen(two)?.reason).toBe(
        `its lag is unknown: the receiving thread of ${one.id}, through which its data comes, is stopped`,
      );
      expect(warningOf(client, 'replication-stopped')).toContain(one.id);
      await client.query('INSERT INTO chain VALUES (1)');
      const [rows] = await client.query<never>('SELECT * FROM chain');
      expect(rows).toHaveLength(1);
      // It would have said so: nothing has reached it, and its own threads run.
      expect(await two.query(`SELECT * FROM ${servers.database}.chain`)).toEqual([]);
      await one.query(`START ${word} IO_THREAD`);
      await eventually('both serve again', serves);

      await one.pause();
      try {
        await eventually('neither serves', () => !isFit(one) && !isFit(two));
        // Its own connection may have been given up meanwhile, too.
        expect(seen(two)?.reason).toMatch(/^it may be \d+ ms behind, more than 2000 ms$|^its lag is unknown/);
        await client.query('SELECT * FROM chain');
      } finally {
        await one.resume();
      }
      await eventually('both serve again', serves);
    } finally {
      await follow(servers.primary);
      await servers.waitForReplication();
    }
  });

  /** What makes a server follow `source`, also over a second channel. */
  function followSql(source: LocalDatabaseNode, channel?: string): string {
    const { user, password } = servers.accounts.repl;
    const at = (word: string): string =>
      `${word}_HOST='127.0.0.1', ${word}_PORT=${source.port}, ${word}_USER='${user}', ${word}_PASSWORD='${password}'`;
    return flavor === 'mysql'
      ? `CHANGE REPLICATION SOURCE TO ${at('SOURCE')}, SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_SSL=0` +
          (channel === undefined ? '' : ` FOR CHANNEL '${channel}'`)
      : `CHANGE MASTER ${channel === undefined ? '' : `'${channel}'`} TO ${at('MASTER')}, MASTER_USE_GTID=slave_pos, MASTER_SSL=0`;
  }
  const reasonOf = (client: MysqlCluster, { id }: LocalDatabaseNode): string | undefined =>
    client.explain('SELECT 1').considered.find(({ node }) => node === id)?.reason;
  const serves = (client: MysqlCluster, node: LocalDatabaseNode): boolean =>
    ['', 'another node is preferred'].includes(reasonOf(client, node) ?? 'it is no node');

  whole('of several channels the one that stands still counts', async () => {
    const [one, two] = servers.replicas;
    if (one === undefined || two === undefined) throw new Error('There are no two replicas');
    const isMysql = flavor === 'mysql';
    const second = (action: string): string =>
      isMysql
        ? `${action.replace('%', 'REPLICA')} FOR CHANNEL 'second'`
        : action.replace('%', "SLAVE 'second'");
    // Both ways bring the same.
    const allowTwice = async (allowed: 0 | 1): Promise<void> => {
      if (isMysql) return;
      for (const sql of ['STOP SLAVE', `SET GLOBAL gtid_ignore_duplicates=${allowed}`, 'START SLAVE'])
        await two.query(sql);
    };
    await allowTwice(1);
    await two.query(followSql(one, 'second'));
    await two.query(second('START %'));
    try {
      const { client } = await clientFor({ ...listed(), reads: { maxLagMs: 3_000 } });
      await eventually('it serves', () => serves(client, two));
      expect(client.topology().nodes.find(({ id }) => id === two.id)).toMatchObject({
        facts: { channels: { length: 2 } },
      });
      // `stormlamp status` shows both sources.
      const shown = client
        .topology()
        .nodes.flatMap((node) => (node.id === two.id ? describeDatabase(node, 0).channels : []));
      expect(shown.map(({ name, source }) => [name, source]).sort()).toEqual([
        ['', `127.0.0.1:${servers.primary.port}`],
        ['second', `127.0.0.1:${one.port}`],
      ]);
      await two.query(
        isMysql ? "STOP REPLICA SQL_THREAD FOR CHANNEL 'second'" : "STOP SLAVE 'second' SQL_THREAD",
      );
      await eventually('it does not serve', () => !serves(client, two));
      expect(reasonOf(client, two)).toBe("the applying thread of channel 'second' is stopped");
      await two.query(second('START %'));
      await eventually('it serves again', () => serves(client, two));
    } finally {
      await two.query(second('STOP %'));
      await two.query(isMysql ? "RESET REPLICA ALL FOR CHANNEL 'second'" : "RESET SLAVE 'second' ALL");
      await allowTwice(0);
      await servers.waitForReplication();
    }
  });

  whole(
    'in a ring the configured primary writes, and the other one when that is made read-only by hand',
    async () => {
      const { primary } = servers;
      const [one, two] = servers.replicas;
      if (one === undefined || two === undefined) throw new Error('There are no two replicas');
      const [word, all] =
        flavor === 'mysql' ? ['REPLICA', 'RESET REPLICA ALL'] : ['SLAVE', 'RESET SLAVE ALL'];
      const readOnly = async (node: LocalDatabaseNode, value: 0 | 1): Promise<void> => {
        if (flavor === 'mysql') await node.query(`SET GLOBAL super_read_only=${value}`);
        await node.query(`SET GLOBAL read_only=${value}`);
      };
      if (flavor === 'mariadb') await primary.query('SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_current_pos');
      await primary.query(followSql(one));
      await primary.query(`START ${word}`);
      try {
        const { client } = await clientFor({ ...listed(), reads: { maxLagMs: 3_000 } });
        const writer = (): unknown => {
          const { writer } = client.topology();
          return writer.kind === 'primary' ? writer.node : writer.kind;
        };
        await eventually('both replicas serve', () => serves(client, one) && serves(client, two));
        expect(writer()).toBe(primary.id);
        await client.query('CREATE TABLE ring (id INT)');
        await client.run({}, async () => {
          await client.query('INSERT INTO ring VALUES (1)');
          expect((await client.query<never>('SELECT * FROM ring'))[0]).toHaveLength(1);
        });
        // What the passive side does not apply makes no replica of the active one late.
        await one.query(`STOP ${word} SQL_THREAD`);
        await eventually('the passive side does not serve', () => !serves(client, one));
        expect(serves(client, two)).toBe(true);
        await one.query(`START ${word}`);
        await servers.waitForReplication();

        await readOnly(primary, 1);
        await readOnly(one, 0);
        await eventually('the other side writes', () => writer() === one.id);
        await client.query('INSERT INTO ring VALUES (2)');
        await readOnly(one, 1);
        await readOnly(primary, 0);
        await eventually('the first one writes again', () => writer() === primary.id);
        await client.query('INSERT INTO ring VALUES (3)');
      } finally {
        await readOnly(one, 1);
        await readOnly(primary, 0);
        await primary.query(`STOP ${word}`);
        await primary.query(all);
        await servers.waitForReplication();
      }
    },
  );
});
