/** What it costs to choose the node of a statement: without a server, over a picture of the cluster as the monitors make it. */
const BATCH = 1000;
const DEFAULTS = { consistency: 'session', waitMs: 1_000 };
const WORKS = {
  'a read': 'outside scopes',
  'a read, in a scope that wrote nothing': 'the same node may serve',
  'a read, in a scope that wrote': 'the replicas are seen to have it',
  'a read, in scopes of two kinds by turns': 'different `maxLagMs`',
  'a read, 20 replicas': 'outside scopes',
  'a scope begins': '`run` makes it',
};

export const suite = {
  title: `Routing (one call is ${BATCH} choices)`,
  works: ({ quick }) =>
    Object.keys(WORKS).map((name) => ({ name, ms: quick ? 150 : 300, warmMs: 500, atOnce: [1] })),
  goals: [],
  setup: async () => ({
    context: {},
    notes: Object.entries(WORKS).map(([name, what]) => `${name}: ${what}.`),
    close: async () => undefined,
  }),
};

/** A picture of a primary and so many MariaDB replicas that are in step. */
async function pictureOf(replicas) {
  const { initialTopology, observe } = await import('../../dist/topology/describe-topology.js');
  const names = ['primary', ...Array.from({ length: replicas }, (_, index) => `replica${index + 1}`)];
  const seeds = names.map((name, index) => ({
    id: `${name}:3306`,
    address: { host: name, port: 3306 },
    configuredRole: index === 0 ? 'primary' : 'replica',
    weight: 1,
  }));
  const channel = {
    name: '',
    sourceHost: 'primary',
    sourcePort: 3306,
    sourceServerId: 1,
    io: 'yes',
    sql: true,
    lagMs: 0,
    delayMs: 0,
    error: '',
  };
  // In the time of the measurement nothing becomes stale.
  const at = performance.now() + 3_600_000;
  return seeds.reduce((topology, { id }, index) => {
    const facts = {
      flavor: 'mariadb',
      version: '10.11.19',
      serverId: index + 1,
      readOnly: index > 0,
      channels: index === 0 ? [] : [channel],
      gtid: '0-1-1000',
      gtidApplied: index === 0 ? '' : '0-1-1000',
      gtidState: '0-1-1000',
      replicationVisible: true,
    };
    return observe(topology, { node: id, at, ok: true, latencyMs: 1, facts });
  }, initialTopology(seeds));
}

export const peers = {
  async stormlamp() {
    const { QueryRouter } = await import('../../dist/mysql/query-router.js');
    const { resolveReadOptions } = await import('../../dist/mysql/read-options.js');
    const { ActiveScope, Scopes } = await import('../../dist/mysql/scope.js');
    const routerOf = (topology) =>
      new QueryRouter(resolveReadOptions({}), {
        topology: () => topology,
        allows: () => true,
        breakerVersion: () => 1,
        inFlight: () => 1,
        returnedAt: () => Number.NEGATIVE_INFINITY,
        waitLimit: 5,
      });
    const [few, many] = [routerOf(await pictureOf(2)), routerOf(await pictureOf(20))];
    const scopeOf = (options) => new ActiveScope(options, undefined, DEFAULTS);
    const [idle, wrote] = [scopeOf({}), scopeOf({ after: '0-1-990' })];
    const kinds = [scopeOf({ maxLagMs: 500 }), scopeOf({ maxLagMs: 2_000 })];
    const scopes = new Scopes(DEFAULTS);
    const times = (work) => () => {
      for (let index = 0; index < BATCH; index += 1) work(index);
    };
    const [read, idleRead, wroteRead, turns, manyRead, begin] = Object.keys(WORKS);
    return {
      works: {
        [read]: times(() => few.reader(undefined)),
        [idleRead]: times(() => few.reader(idle)),
        [wroteRead]: times(() => few.reader(wrote, undefined, true)),
        [turns]: times((index) => few.reader(kinds[index % 2])),
        [manyRead]: times(() => many.reader(undefined)),
        [begin]: times(() => scopes.run({}, () => scopes.current)),
      },
    };
  },
};
