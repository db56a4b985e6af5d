/** A Galera cluster of three MariaDB servers, from the parts that local clusters are made of. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataTemplate } from '../../src/testing/database/data-template.js';
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
  /** Ends everything. */
  close(): Promise<void>;
}

/** Starts three members; resolves when they are one cluster. */
export async function startGalera(
  release: 'system' | 'newest',
  waitFor: (what: string, state: () => Promise<boolean>) => Promise<unknown>,
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
  const close = async (): Promise<void> => {
    process.env['PATH'] = PATH;
    if (LD_LIBRARY_PATH === undefined) delete process.env['LD_LIBRARY_PATH'];
    else process.env['LD_LIBRARY_PATH'] = LD_LIBRARY_PATH;
    await Promise.all(nodes.map((node) => node.destroy()));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    await guardian.end();
  };
  try {
    for (const [index, port] of ports.entries()) {
      const others = ports.filter((other) => other !== port).map((other) => `127.0.0.1:${other}`);
      const node: DatabaseNode = await DatabaseNode.create({
        name: `db${index + 1}`,
        serverId: index + 1,
        readOnly: false,
        clusterFolder: folder,
        template,
        serverArgs: [
          '--wsrep-on=ON',
          `--wsrep-provider=${provider}`,
          `--wsrep-cluster-address=gcomm://${index === 0 ? '' : others.join(',')}`,
          `--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:${port};base_host=127.0.0.1;base_port=${port};gcache.size=16M;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S;evs.keepalive_period=PT0.5S`,
          '--wsrep-node-address=127.0.0.1',
          `--wsrep-sst-receive-address=127.0.0.1:${await freePort()}`,
          '--wsrep-sst-method=rsync',
          '--innodb-autoinc-lock-mode=2',
        ],
        flavor: mariadbFlavor,
        accounts,
        launcher,
        signal: undefined,
      });
      nodes.push(node);
      // Started by root, rsync gives up its rights, and has to get at the data all the same.
      chmodSync(folder, 0o755);
      chmodSync(join(folder, node.name), 0o755);
      execFileSync('chmod', ['-R', 'a+rwX', join(folder, node.name, 'data')]);
      await node.start();
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
    return { nodes, accounts, close };
  } catch (error) {
    const logs = nodes.map((node) => node.log(120)).join('\n---\n');
    await close();
    throw new Error(`Galera did not start: ${String(error)}\n${logs}`, { cause: error });
  }
}
