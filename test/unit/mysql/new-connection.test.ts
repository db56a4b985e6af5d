/** New connections and their listeners, on connections whose server is a script. */
import { expect, test } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { withListeners } from '../../../src/mysql/new-connection.js';
import { ScriptedFactory } from './scripted-connection.js';

const limit = Deadline.of({ timeoutMs: 10_000 });

test('after a reset, what a listener set is what is known of the session', async () => {
  const factory = new ScriptedFactory();
  const told = (mode: string): object => ({ stateChanges: { systemVariables: { sql_mode: mode } } });
  const connection = await withListeners(factory, {
    wantsConnections: () => true,
    onConnection: () => [],
  }).connect(limit);
  connection.repeated.push(
    async () => told('ANSI_QUOTES'),
    async () => told('ORACLE'),
    async () => undefined,
  );
  connection.sqlMode = 'another';
  await connection.reset(limit);
  expect(connection.sqlMode).toBe('ORACLE');
});

test('a listener that never ends closes the connection at the limit', async () => {
  const factory = new ScriptedFactory();
  const listened = withListeners(factory, {
    wantsConnections: () => true,
    onConnection: () => [new Promise(() => undefined)],
  });
  await expect(listened.connect(Deadline.of({ timeoutMs: 20 }))).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringContaining("listener of 'connection'"),
  });
});
