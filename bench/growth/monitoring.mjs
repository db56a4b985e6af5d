/** What 1 to 1 000 processes that watch three servers ask of each: real watchers, in one process, of servers that only count. */
import { systemClock } from '../../dist/common/clock.js';
import { TopologyWatcher } from '../../dist/health/topology-watcher.js';
import { outcome, round } from '../figures.mjs';

const NODES = { a: 'primary', b: 'replica', c: 'replica' };
const SETTLE_MS = 6_000;
/** Long enough that one look more or less is no tenth of the rate. */
const COUNT_MS = 20_000;

/** All fleets watch at the same time. */
export async function growthOfMonitoring({ quick, found, signal }) {
  const sizes = quick ? [1, 10, 100] : [1, 10, 100, 1_000];
  const fleets = sizes.flatMap((size) => [fleet(size, false), fleet(size, true)]);
  try {
    await pause(SETTLE_MS, signal);
    const before = fleets.map(({ probes }) => probes.count);
    const from = performance.now();
    await pause(COUNT_MS, signal);
    const seconds = (performance.now() - from) / 1000;
    const rates = fleets.map(({ probes }, index) => (probes.count - before[index]) / seconds / 3);
    found.tables.push({
      title:
        'Processes that watch three servers (looks per second at each server, `intervalMs: 1000`; real watchers of made-up servers, all in one process)',
      rows: sizes.map((size, index) => ({
        processes: size,
        'each by itself': round(rates[2 * index], 2),
        '`share: true`': round(rates[2 * index + 1], 2),
      })),
    });
    found.goals.push(
      outcome(
        {
          text: `looks per second at a server, shared: the most of ${sizes.slice(1).join(', ')} processes over one`,
          most: 1.2,
        },
        Math.max(...sizes.slice(1).map((_, index) => rates[2 * index + 3])) / rates[1],
      ),
    );
  } finally {
    for (const { watchers } of fleets) for (const watcher of watchers) watcher.close();
  }
}

function fleet(size, share) {
  const probes = { count: 0 };
  const memory = { text: undefined, owner: undefined, until: 0 };
  const watchers = Array.from({ length: size }, (_, index) => {
    return new TopologyWatcher({
      seeds: Object.entries(NODES).map(([id, configuredRole], at) => ({
        id,
        address: { host: 'made-up', port: 4001 + at },
        configuredRole,
        weight: 1,
      })),
      intervalMs: 1_000,
      timeoutMs: 1_000,
      board: share ? boardOf(memory, index) : undefined,
      createProbe: ({ id }) => ({
        probe: async () => {
          probes.count += 1;
          return factsOf(id);
        },
        close: () => undefined,
      }),
    });
  });
  for (const watcher of watchers) watcher.start();
  return { probes, watchers };
}

/** The board as memcached keeps it: one lease of three seconds, one text. */
function boardOf(memory, process) {
  return {
    lead: async () => {
      const now = systemClock.now();
      if (memory.owner !== undefined && memory.owner !== process && now < memory.until) return false;
      memory.owner = process;
      memory.until = now + 3_000;
      return true;
    },
    publish: async (text) => {
      memory.text = text;
    },
    read: async () => memory.text,
    close: async () => {
      if (memory.owner === process) memory.owner = undefined;
    },
  };
}

function factsOf(id) {
  const serverId = Object.keys(NODES).indexOf(id) + 1;
  const source = {
    name: '',
    sourceHost: '10.0.0.1',
    sourcePort: 3306,
    sourceServerId: 1,
    io: 'yes',
    sql: true,
    lagMs: 0,
    delayMs: 0,
    error: '',
  };
  return {
    flavor: 'mysql',
    version: '9.7.4',
    serverId,
    readOnly: id !== 'a',
    channels: id === 'a' ? [] : [source],
    gtid: '',
    replicationVisible: true,
  };
}

function pause(ms, signal) {
  return new Promise((done, fail) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      fail(new Error('stopped'));
    });
  });
}
