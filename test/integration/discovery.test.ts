/** Nodes that are not listed are found: from any one of them, under any name, and in the DNS. */
import dns from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
import { connect, createServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
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
    // The first look was over before anybody could listen; a connection that is made anew asks again.
    await one.restart();
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
    // What the servers report is reached nowhere, so that only the DNS can tell.
    const addressMap = (address: string): string =>
      address.startsWith('127.0.0.1:') ? '127.0.0.1:1' : address;
    const { client } = await clientFor({
      primary: urlOf({ id: `db.test:${port}` }),
      discover: { nameServers: [dns.address], resolveIntervalMs: 200 },
      addressMap,
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

  test('a name with one address is followed when it comes to stand for another server, although the old one lives', async () => {
    const [one] = servers.replicas;
    if (one === undefined) throw new Error('There is no replica');
    const first = await forwardTo(servers.primary, '127.0.0.2', 0);
    const { port } = first.address() as { port: number };
    await forwardTo(one, '127.0.0.3', port);
    const records = { a: { 'moving.test': ['127.0.0.2'] }, srv: {} };
    const server = await startDnsServer(records);
    const lookup = dns.lookup;
    // The system's own resolver, which connects, has to know the name as well.
    const known = (host: string, ...rest: never[]): void =>
      (lookup as (...args: unknown[]) => void)(host === 'moving.test' ? records.a[host][0] : host, ...rest);
    dns.lookup = known as typeof lookup;
    syncBuiltinESMExports();
    try {
      const { client } = await clientFor({
        nodes: [urlOf({ id: `moving.test:${port}` })],
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
  });

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
});
