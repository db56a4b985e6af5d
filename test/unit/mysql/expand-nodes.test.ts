import { expect, test } from 'vitest';
import { withAllNames } from '../../../src/mysql/expand-nodes.js';
import type { HostResolver } from '../../../src/mysql/host-resolver.js';
import { type MysqlOptions, resolveMysqlOptions } from '../../../src/mysql/mysql-options.js';

const boom = (): never => {
  throw new Error('boom');
};
async function namesOf(options: MysqlOptions, resolver?: Partial<HostResolver>): Promise<readonly string[]> {
  const whole = { addresses: async () => [], services: async () => [], ...resolver };
  const discover = options.discover ?? { resolver: whole };
  const { nodes } = await withAllNames(resolveMysqlOptions({ ...options, discover }));
  return nodes.map(({ seed }) => seed.id);
}

test('a name with several addresses is one node for each, an address is not looked up', async () => {
  const asked: string[] = [];
  const addresses = async (host: string): Promise<readonly string[]> => {
    asked.push(host);
    return host === 'many' ? ['10.0.0.1', '10.0.0.2'] : ['10.0.0.3'];
  };
  const nodes = ['mysql://many:3307/x', 'mysql://one/x', 'mysql://10.0.0.9/x'];
  expect(await namesOf({ nodes }, { addresses })).toEqual([
    '10.0.0.1:3307',
    '10.0.0.2:3307',
    'one:3306',
    '10.0.0.9:3306',
  ]);
  expect(asked.sort()).toEqual(['many', 'one']);
});

test('a look-up that fails leaves a name what it is, and a service out while there are other nodes', async () => {
  const failing = { addresses: boom, services: boom };
  const nodes = ['mysql+srv://shop.test/x', 'mysql://db1/x'];
  expect(await namesOf({ nodes }, failing)).toEqual(['db1:3306']);
  await expect(namesOf({ nodes: ['mysql+srv://shop.test/x'] }, failing)).rejects.toThrow(
    '`mysql.discover.resolver.services`, asked for _mysql._tcp.shop.test, failed: boom',
  );
  await expect(namesOf({ nodes: ['mysql+srv://shop.test/x'] })).rejects.toThrow(
    /no servers for the service _mysql._tcp.shop.test/,
  );
});
