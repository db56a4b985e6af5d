/** The cache of classified statements when there are few and when there are more than it keeps. */
import { ClassificationCache } from '../../dist/mysql/classifier/classification-cache.js';
import { median, round } from '../figures.mjs';

const COUNTS = [10, 100, 1_000, 2_000, 10_000, 100_000];
const LOOKS = 200_000;

/** Looks statements up in turn, and says what a look-up costs and what the cache keeps. */
export async function growthOfStatements({ rounds, found, signal }) {
  const rows = [];
  for (const count of COUNTS) {
    if (signal.aborted) break;
    const texts = Array.from(
      { length: count },
      (_, index) => `SELECT name, price FROM item_${index} WHERE id = ? AND shop = ? ORDER BY price LIMIT 10`,
    );
    const cache = new ClassificationCache({ flavor: 'mysql' });
    const costs = [];
    for (let turn = 0; turn < rounds; turn += 1) {
      const cpu = process.cpuUsage();
      for (let look = 0; look < LOOKS; look += 1) cache.classify(texts[look % count]);
      const { user, system } = process.cpuUsage(cpu);
      costs.push((user + system) / LOOKS);
    }
    rows.push({
      statements: count,
      'kept in the cache': cache.size,
      'CPU µs per look-up': round(median(costs), 3),
    });
  }
  found.tables.push({ title: 'Different statements, asked in turn', rows });
}
