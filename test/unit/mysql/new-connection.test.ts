/** New connections and their listeners, on connections whose server is a script. */
import { afterEach, expect, test, vi } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { type NewConnection, withListeners } from '../../../src/mysql/new-connection.js';
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

afterEach(() => {
  vi.restoreAllMocks();
});

/** A new connection after its listeners have returned. */
async function lent(): Promise<NewConnection> {
  const faces: NewConnection[] = [];
  const listeners = {
    wantsConnections: () => true,
    onConnection: (face: NewConnection) => {
      faces.push(face);
      return [];
    },
  };
  await withListeners(new ScriptedFactory(), listeners).connect(limit);
  const [face] = faces;
  if (face === undefined) throw new Error('no listener was called');
  return face;
}

test('what comes after the listeners is refused where its answer is waited for', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const face = await lent();
  for (const method of ['query', 'execute'] as const) {
    const told: unknown[] = [];
    const answered = new Promise<void>((resolve) => {
      face[method]('SET @late = 1', (error) => {
        told.push(error);
        resolve();
      });
    });
    // Never in the call itself.
    expect(told).toEqual([]);
    await answered;
    expect(told).toMatchObject([{ code: 'ERR_CLOSED', node: 'db1:3306' }]);
    await expect(face[method]('SET @late = 1')).rejects.toMatchObject({ code: 'ERR_CLOSED' });
  }
  await new Promise((resolve) => setImmediate(resolve));
  expect(warned).not.toHaveBeenCalled();
});

test('what comes after the listeners and waits for no answer is told as a warning', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  void (await lent()).query('SET @late = 1');
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  expect(warned.mock.calls).toEqual([
    [expect.stringContaining("listeners of 'connection'"), { type: 'StormlampUnhandledError' }],
  ]);
});

test('who waits for a listener is told so', async () => {
  let finish: (() => void) | undefined;
  const listened = withListeners(new ScriptedFactory(), {
    wantsConnections: () => true,
    onConnection: () => [
      new Promise<void>((resolve) => {
        finish = resolve;
      }),
    ],
  });
  expect(listened.waitingFor?.()).toBeUndefined();
  const connecting = listened.connect(limit);
  await expect.poll(() => listened.waitingFor?.()).toBe("a listener of 'connection'");
  finish?.();
  await connecting;
  expect(listened.waitingFor?.()).toBeUndefined();
});
