import { expect, test } from 'vitest';
import { checkDatabases } from '../../../../src/cli/doctor/check-databases.js';
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
  expect(checks.map(({ subject, what, state }) => `${subject} ${what}: ${state}`)).toEqual(
    PORTS.flatMap((port) => [
      `127.0.0.1:${port} login of the application: failed`,
      `127.0.0.1:${port} what the monitor may see: failed`,
    ]),
  );
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
