/** A Galera cluster of three MariaDB servers, from the parts that local clusters are made of. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyData, dataTemplate } from '../../src/testing/database/data-template.js';
import { DatabaseNode } from '../../src/testing/database/database-node.js';
import { type LocalAccounts, localAccounts } from '../../src/testing/database/local-accounts.js';
import { mariadbFlavor } from '../../src/testing/database/mariadb-flavor.js';
import { freePort } from '../../src/testing/process/free-port.js';
import { Guardian } from '../../src/testing/process/guardian.js';
import { NativeLauncher } from '../../src/testing/process/native-launcher.js';
import { resolveServers } from '../../src/testing/servers/resolve-servers.js';

/** A running Galera cluster. */
export interface GaleraCluster {
  /** The members. */
  readonly nodes: readonly DatabaseNode[];
  /** Who may log in. */
  readonly accounts: LocalAccounts;
  /** Starts a server outside the cluster that replicates from `member`, asynchronously. */
  startReplica(member: DatabaseNode): Promise<DatabaseNode>;
  /** Starts a member again that was killed; it gets all data from the others. */
  rejoin(member: DatabaseNode): Promise<void>;
  /** Ends everything. */
  close(): Promise<void>;
}

/** Starts three members; resolves when they are one cluster. `extraArgs` are given to each of them. */
export async function startGalera(
  release: 'system' | 'newest',
  waitFor: (what: string, state: () => Promise<boolean>) => Promise<unknown>,
  extraArgs: readonly string[] = [],
): Promise<GaleraCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-'));
  const guardian = new Guardian(randomUUID());
  guardian.watchFolder(folder);
  const binaries = await resolveServers(['mariadb'], { versions: { mariadb: release } });
  const provider = binaries.mariadb?.galeraProvider;
  if (provider === undefined) throw new Error('This MariaDB came without libgalera_smm.so');
  // A member that joins gets its data by a script of the system's packages, which calls rsync with libraries of its own.
  const scripts = join((await resolveServers(['mariadb'])).mariadb?.baseDir ?? '', 'bin');
  const { PATH, LD_LIBRARY_PATH } = process.env;
  const libraries = ['x86_64', 'aarch64'].map((machine) =>
    join(scripts, '..', 'lib', `${machine}-linux-gnu`),
  );
  process.env['PATH'] = `${scripts}:${PATH}`;
  process.env['LD_LIBRARY_PATH'] = libraries.join(':');
  const launcher = new NativeLauncher(binaries, guardian);
  const accounts = localAccounts({ user: 'app' });
  const template = await dataTemplate({
    name: `mariadb-${launcher.versions.mariadb?.version}`,
    fingerprint: await launcher.dataFingerprint('mariadb'),
    make: async (data) => {
      const work = join(folder, 'template');
      mkdirSync(work, { mode: 0o700 });
      await launcher.makeData('mariadb', data, work);
    },
    instead: join(folder, 'empty-data'),
    onFolder: (path) => guardian.watchFolder(path),
    onMake: () => undefined,
  });
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const nodes: DatabaseNode[] = [];
  const servers: DatabaseNode[] = [];
  const create = async (
    serverId: number,
    readOnly: boolean,
    serverArgs: readonly string[],
  ): Promise<DatabaseNode> => {
    const node = await DatabaseNode.create({
      name: `db${serverId}`,
      serverId,
      readOnly,
      clusterFolder: folder,
      template,
      serverArgs,
      flavor: mariadbFlavor,
      accounts,
      launcher,
      signal: undefined,
    });
    servers.push(node);
    return node;
  };
  const start = async (node: DatabaseNode): Promise<void> => {
    // Started by root, rsync gives up its rights, and has to get at the data all the same.
    chmodSync(folder, 0o755);
    chmodSync(join(folder, node.name), 0o755);
    // What the giver has is given with its rights, which are the same then, and need not be changed.
    for (const { name } of servers) execFileSync('chmod', ['-R', 'a+rwX', join(folder, name, 'data')]);
    await node.start();
  };
  const rejoin = async (node: DatabaseNode): Promise<void> => {
    // Files that another user has written before are none that rsync could overwrite.
    const data = join(folder, node.name, 'data');
    await rm(data, { recursive: true, force: true });
    await copyData(template, data);
    await start(node);
  };
  const startReplica = async (member: DatabaseNode): Promise<DatabaseNode> => {
    const replica = await create(servers.length + 1, true, []);
    await replica.start();
    await replica.run(mariadbFlavor.followSql({ host: member.host, port: member.port }, accounts.repl));
    return replica;
  };
  const close = async (): Promise<void> => {
    process.env['PATH'] = PATH;
    if (LD_LIBRARY_PATH === undefined) delete process.env['LD_LIBRARY_PATH'];
    else process.env['LD_LIBRARY_PATH'] = LD_LIBRARY_PATH;
    await Promise.all(servers.map((node) => node.destroy()));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    await guardian.end();
  };
  try {
    for (const [index, port] of ports.entries()) {
      const others = ports.filter((other) => other !== port).map((other) => `127.0.0.1:${other}`);
      const clusterAddress = (list: readonly string[]): string =>
        `--wsrep-cluster-address=gcomm://${list.join(',')}`;
      const serverArgs = [
        clusterAddress(index === 0 ? [] : others),
        '--wsrep-on=ON',
        // It would have a variable for each option, but for none that cuts a member off.
        '--loose-plugin-wsrep-provider=OFF',
        `--wsrep-provider=${provider}`,
        `--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:${port};base_host=127.0.0.1;base_port=${port};gcache.size=16M;ist.recv_addr=tcp://127.0.0.1:${await freePort()};evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S;evs.keepalive_period=PT0.5S`,
        '--wsrep-node-address=127.0.0.1',
        `--wsrep-sst-receive-address=127.0.0.1:${await freePort()}`,
        '--wsrep-sst-method=rsync',
        '--innodb-autoinc-lock-mode=2',
        ...extraArgs,
      ];
      const node = await create(index + 1, false, serverArgs);
      nodes.push(node);
      await start(node);
      // Only once does the first one begin a cluster; later it joins the one that there is.
      serverArgs[0] = clusterAddress(others);
      await waitFor(`member ${index + 1} is synced`, async () => {
        const rows = await node.query("SHOW STATUS LIKE 'wsrep_local_state_comment'");
        return rows[0]?.['Value'] === 'Synced';
      });
    }
    const [first] = nodes;
    await first?.run(mariadbFlavor.setupSql(accounts, 'shop'));
    // Members tell each other the addresses that clients use only when these are set.
    for (const node of nodes)
      await node.query(`SET GLOBAL wsrep_node_incoming_address = '${node.id}'`).catch(() => undefined);
    return { nodes, accounts, startReplica, rejoin, close };
  } catch (error) {
    const logs = nodes.map((node) => node.log(120)).join('\n---\n');
    await close();
    throw new Error(`Galera did not start: ${String(error)}\n${logs}`, { cause: error });
  }
}
