/** What ends a question to the primary that it does not answer. */
import type { Connection } from 'mysql2';
import { afterEach, expect, test } from 'vitest';
import { askPrimary } from '../../../src/mysql/answer-of.js';
import { ClusterCore } from '../../../src/mysql/cluster-core.js';
import { resolveMysqlOptions } from '../../../src/mysql/mysql-options.js';
import { PhysicalConnection } from '../../../src/mysql/physical-connection.js';
import { parseServerVersion } from '../../../src/mysql/server-version.js';
import { ScriptedRaw } from './scripted-connection.js';

const [OLD, NEXT] = ['127.0.0.1:1', '127.0.0.1:2'] as const;
const nothing = (): undefined => undefined;

const core = new ClusterCore(
  resolveMysqlOptions({ nodes: [`mysql://app@${OLD}/s`, `mysql://app@${NEXT}/s`] }),
  {
    wantsRoutes: () => false,
    onRoute: nothing,
    onBreakerChange: nothing,
    onConnectError: nothing,
    onDiscoveryFailure: nothing,
    onLagFailure: nothing,
    onHeartbeatFailure: nothing,
    onKillFailure: nothing,
    wantsConnections: () => false,
    onConnection: () => [],
  },
);
afterEach(() => core.destroy());

function connectionTo(node: string): PhysicalConnection {
  const raw = new ScriptedRaw(1) as unknown as Connection;
  const version = parseServerVersion('10.11.14-MariaDB');
  return new PhysicalConnection({ node, raw, version, setupSql: () => 'SET x' });
}

test('a question to a primary that hangs ends, and its connection, when another node is the primary, and not before', async () => {
  const [hung, busy] = [connectionTo(OLD), connectionTo(NEXT)];
  let answer = (_: string): void => {};
  const later = new Promise<string>((resolve) => {
    answer = resolve;
  });
  const ended = askPrimary(core, hung, new Promise(() => undefined)).catch((error: unknown) => error);
  const answered = askPrimary(core, busy, later);
  core.watcher.publish('primary-changed', { before: OLD, after: null, epoch: 1 });
  expect(hung.lost).toBeUndefined();
  core.watcher.publish('primary-changed', { before: null, after: NEXT, epoch: 2 });
  expect(await ended).toBe(hung.lost);
  expect(hung.lost).toBeInstanceOf(Error);
  expect(busy.lost).toBeUndefined();
  answer('here');
  expect(await answered).toBe('here');
});

test('what was answered is not given up later', async () => {
  const connection = connectionTo(OLD);
  expect(await askPrimary(core, connection, Promise.resolve(7))).toBe(7);
  core.watcher.publish('primary-changed', { before: OLD, after: NEXT, epoch: 2 });
  expect(connection.lost).toBeUndefined();
});
