/** What the monitors of up to 1 000 processes cost each database server, with and without sharing, in simulated time. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { monitoringCost } from '../support/watcher-fleet.js';

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  });
});
afterEach(() => vi.useRealTimers());

test('the table of docs/topology.md', async () => {
  const rows: string[] = [];
  for (const size of [1, 10, 100, 1_000]) {
    const cost = await monitoringCost(size, (ms) => vi.advanceTimersByTimeAsync(ms), size > 100 ? 4 : 10);
    const figures = [cost.alone, cost.shared, cost.board].map((figure) => figure.toFixed(1));
    console.log(size, JSON.stringify(cost));
    rows.push(`| ${size} | ${figures.join(' | ')} | ${Math.round(cost.oldestMs)} |`);
    expect(cost.leaders).toBe(1);
    expect(cost.shared).toBeLessThan(1.3);
  }
  console.log(['| processes | alone | shared | board | oldest look, ms |', ...rows].join('\n'));
});
