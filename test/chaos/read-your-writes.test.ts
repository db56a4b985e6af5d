/** One million pairs of a write and a read in scopes, over replicas that stand still for up to two seconds: no read is stale. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { DATABASES } from '../integration/database-matrix.js';
import { type PairReport, preparePairs, writeThenRead } from '../support/write-then-read.js';

const PAIRS = Number(process.env['STORMLAMP_CHAOS_PAIRS'] ?? 1_000_000);
const WORKERS = Number(process.env['STORMLAMP_CHAOS_WORKERS'] ?? 64);
const DELAY_MS = 2_000;

function tell(name: string, what: string, report: PairReport): void {
  const share = `${(report.replicaShare * 100).toFixed(1)} % of reads on replicas`;
  const rate = `${Math.round((report.pairs / report.ms) * 1_000)} pairs/s`;
  console.log(
    `${name} ${what}: ${report.pairs} pairs, ${report.stale} stale, ${share}, ${rate}`,
    report.forms,
  );
}

describe.each(DATABASES)('$name', ({ name, options }) => {
  let servers: LocalCluster;
  beforeAll(async () => {
    servers = await startLocalCluster({
      ...options,
      replicas: 2,
      memcached: 0,
      php: false,
      serverArgs: { mysql: ['--log-bin-trust-function-creators=1', '--max-binlog-size=64M'] },
    });
    await preparePairs(servers, WORKERS);
  });
  afterAll(async () => {
    await servers?.close();
  });

  test('in scopes no read is stale', async () => {
    const onProgress = (done: number): void => {
      if (done % 50_000 === 0) console.log(`${name}: ${done} pairs`);
    };
    // Half of the million on each flavor; a tenth of that on the second MariaDB.
    const share = name === 'MariaDB 11.8' ? 20 : 2;
    const size = { pairs: Math.ceil(PAIRS / share), workers: WORKERS, scoped: true, delayMs: DELAY_MS };
    const report = await writeThenRead(servers, { ...size, onProgress });
    tell(name, 'in scopes', report);
    expect(report.examples).toEqual([]);
    expect(report.stale).toBe(0);
    expect(report.reads['replica']).toBeGreaterThan(0);
  });

  test('outside scopes some are', async () => {
    const report = await writeThenRead(servers, {
      pairs: Math.min(10_000, PAIRS),
      workers: WORKERS,
      scoped: false,
      delayMs: DELAY_MS,
    });
    tell(name, 'outside scopes', report);
    expect(report.stale).toBeGreaterThan(0);
  });
});
