/**
 * The point SELECT alone: no peer does anything else, and no server has writes of others to apply. Those that ask replicas are
 * there with one of them, too, as the pools that ask the primary alone ask one server.
 */
import { peers as all, POOL_SIZE, suite as queries } from './queries.mjs';

const withOne = (peer) => (context) => {
  const { mysql } = context;
  return peer({ ...context, mysql: { ...mysql, replicas: mysql.replicas.slice(0, 1), discover: false } });
};

export const peers = {
  ...all,
  'mysql2 PoolCluster, one replica': withOne(all['mysql2 PoolCluster']),
  'stormlamp, one replica': withOne(all.stormlamp),
  // As many connections as with one replica, to find out what belongs to the second server, and what to more connections.
  'stormlamp, half the connections': (context) => all.stormlamp({ ...context, poolSize: POOL_SIZE / 2 }),
};

export const suite = {
  ...queries,
  name: 'selects',
  title: 'Nothing but point SELECTs',
  rounds: 15,
  waits: true,
  works: () =>
    ['query', 'execute'].map((method) => ({
      name: `point SELECT, ${method}`,
      ms: 600,
      warmMs: 1000,
      atOnce: [50],
    })),
  goals: [],
};
