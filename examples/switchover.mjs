// A planned switchover: the plan is shown first, then made. No acknowledged write is lost.
import { createCluster } from 'stormlamp';

const { HA_USER, HA_PASSWORD, REPL_USER, REPL_PASSWORD } = process.env;
const cluster = await createCluster({
  mysql: {
    primary: process.env.STORMLAMP_MYSQL_PRIMARY,
    replicas: process.env.STORMLAMP_MYSQL_REPLICAS.split(','),
  },
  failover: {
    mode: 'approve',
    automatic: false, // a tool: what is done automatically is for the services to do
    credentials: { user: HA_USER, password: HA_PASSWORD },
    replication: { user: REPL_USER, password: REPL_PASSWORD },
    hooks: { approve: () => ({ veto: 'only planned changes here' }) },
    // `cluster`, `witness`, `leaseMs`, `handoverMs`, `selfFenceMs`: just as the services have them, all left out here
  },
});

const plan = await cluster.failover.plan('switchover'); // changes nothing
console.log(
  `${plan.from} -> ${plan.to}, ${plan.steps.length} steps, loses ${plan.loss.transactions} transactions`,
);

const result = await cluster.failover.switchover({ to: plan.to });
console.log(result.ok ? `done: writes waited ${Math.round(result.writeGapMs)} ms` : result.error.message);
await cluster.close();
