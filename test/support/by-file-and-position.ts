/** Replication without GTIDs. */
import type { LocalCluster } from '../../src/testing/index.js';

/** Makes all replicas follow by the place in their source's log. */
export async function byFileAndPosition(servers: LocalCluster): Promise<void> {
  const { primary, replicas, flavor } = servers;
  await servers.waitForReplication();
  const mysql = flavor === 'mysql';
  const [status] = await primary.query(mysql ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS');
  const place = `'${status?.['File']}'`;
  for (const replica of replicas) {
    await replica.query(mysql ? 'STOP REPLICA' : 'STOP SLAVE');
    await replica.query(
      mysql
        ? `CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION=0, SOURCE_LOG_FILE=${place}, SOURCE_LOG_POS=${status?.['Position']}`
        : `CHANGE MASTER TO MASTER_USE_GTID=no, MASTER_LOG_FILE=${place}, MASTER_LOG_POS=${status?.['Position']}`,
    );
    await replica.query(mysql ? 'START REPLICA' : 'START SLAVE');
  }
}
