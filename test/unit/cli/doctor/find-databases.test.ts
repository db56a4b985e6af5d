import { expect, test } from 'vitest';
import type { Check } from '../../../../src/cli/doctor/check.js';
import { checkDatabases } from '../../../../src/cli/doctor/check-databases.js';
import { checkFailover } from '../../../../src/cli/doctor/check-failover.js';
import { findDatabases } from '../../../../src/cli/doctor/find-databases.js';
import { TopSampler } from '../../../../src/cli/top/top-sampler.js';
import type { MysqlOptions } from '../../../../src/index.js';

const { signal } = new AbortController();
const PORTS = [1, 2];

/** A name for servers on which nothing listens. */
function service(ports: readonly number[]): MysqlOptions {
  return {
    primary: 'mysql+srv://app:secret@shop.invalid/shop',
    discover: {
      resolver: {
        services: async () => ports.map((port) => ({ host: '127.0.0.1', port })),
        addresses: async () => [],
      },
    },
  };
}

test('of a service every server is looked at, by the doctor and by top', async () => {
  const checks = await checkDatabases(service(PORTS), signal);
  expect(checks.map(({ subject, what, state }) => `${subject} ${what}: ${state}`)).toEqual([
    ...PORTS.map((port) => `127.0.0.1:${port} how it is known: ok`),
    ...PORTS.flatMap((port) => [
      `127.0.0.1:${port} login of the application: failed`,
      `127.0.0.1:${port} what the monitor may see: failed`,
    ]),
  ]);
  const sampler = await TopSampler.open({ options: { mysql: service(PORTS) }, source: 'a test' });
  try {
    await sampler.sample();
    const { ok, databases } = sampler.report();
    expect(ok).toBe(false);
    expect(databases.map(({ node, role }) => [node, role])).toEqual(
      PORTS.map((port) => [`127.0.0.1:${port}`, 'down']),
    );
  } finally {
    await sampler.close();
  }
});

test('a service without servers is one failure that says what to do', async () => {
  expect(await findDatabases(service([]))).toEqual({
    listed: [],
    found: [],
    strangers: [],
    writer: undefined,
    checks: [
      {
        area: 'mysql',
        subject: 'shop.invalid:3306',
        what: 'servers of the service',
        state: 'failed',
        found: expect.stringContaining('The DNS has no servers for the service _mysql._tcp.shop.invalid'),
        expected: 'to find every server that a client would use',
        fix: 'add SRV records, or list the servers themselves',
      },
    ],
  });
});

test('every address of a name is looked at, with the accounts of failover, too', async () => {
  const mysql: MysqlOptions = {
    nodes: ['mysql://app:secret@db.invalid:1/shop'],
    discover: {
      resolver: { services: async () => [], addresses: async () => ['127.0.0.3', '127.0.0.4'] },
    },
  };
  const ids = ['127.0.0.3:1', '127.0.0.4:1'];
  const subjects = (checks: readonly Check[], what: string): readonly (string | null)[] =>
    checks.flatMap((check) => (check.what === what ? [check.subject] : [])).sort();
  const account = { user: 'admin', password: 'secret' };
  const failover = { mode: 'approve', credentials: account, replication: account } as const;
  expect(subjects(await checkDatabases(mysql, signal), 'login of the application')).toEqual(ids);
  expect(subjects(await checkFailover(mysql, failover, signal), 'login of replicas')).toEqual(ids);
});

test('a resolver that fails hides nothing of what is listed', async () => {
  const fail = (): never => {
    throw new Error('no names today');
  };
  const nodes = ['mysql://app:secret@127.0.0.1:1/shop', 'mysql+srv://app:secret@shop.invalid/shop'];
  const checks = await checkDatabases(
    { nodes, discover: { resolver: { addresses: fail, services: fail } } },
    signal,
  );
  expect(checks.map(({ subject, what, state }) => `${subject} ${what}: ${state}`)).toEqual([
    'shop.invalid:3306 servers of the service: failed',
    '127.0.0.1:1 login of the application: failed',
    '127.0.0.1:1 what the monitor may see: failed',
  ]);
  expect(checks[0]?.found).toContain('no names today');
});
