/** `stormlamp failover` as an operator types it, on real servers. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { stormlamp } from '../support/run-node.js';
import { atTerminal, linesOf } from '../support/terminal.js';

let servers: LocalCluster;
let folder: string;
beforeAll(async () => {
  servers = await startLocalCluster({ php: false, memcached: 0 });
  folder = mkdtempSync(join(tmpdir(), 'stormlamp-cli-'));
  const { admin, repl } = servers.accounts;
  const failover = { mode: 'auto', credentials: admin, replication: repl, maxLoss: 'any', leaseMs: 1_500 };
  writeFileSync(join(folder, 'options.json'), JSON.stringify({ mysql: servers.options().mysql, failover }));
});
afterAll(async () => {
  await servers?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

async function run(
  ...words: readonly string[]
): Promise<{ code: number | null; answer: Record<string, unknown>; stderr: string }> {
  const { code, stdout, stderr } = await stormlamp([
    'failover',
    ...words,
    '--config',
    join(folder, 'options.json'),
    '--json',
  ]);
  return { code, answer: JSON.parse(stdout) as Record<string, unknown>, stderr };
}

test('preflight, plan, switchover, history: one document each', { timeout: 180_000 }, async () => {
  expect(await run('preflight')).toMatchObject({ code: 0, answer: { ok: true } });
  // Nothing is an answer, too.
  expect(await run('history')).toMatchObject({
    code: 0,
    answer: { ok: true, records: [] },
    stderr: 'No change was made yet, and nothing else was noted.\n',
  });
  const planned = await run('plan');
  expect(planned).toMatchObject({
    code: 0,
    answer: { ok: true, plan: { kind: 'switchover', from: servers.primary.id } },
  });
  expect(JSON.stringify(planned.answer)).not.toContain(servers.accounts.repl.password);
  const { to } = planned.answer['plan'] as { to: string };
  const refused = await run('failover');
  expect(refused).toMatchObject({ code: 1, answer: { ok: false, error: { code: 'ERR_CHANGE_REFUSED' } } });
  // What can be typed here, and first what loses nothing.
  expect(refused.stderr).toMatch(
    /run `stormlamp failover switchover`, .* run `stormlamp failover failover --force` only if you know better\n$/,
  );
  const made = await run('switchover', '--to', to);
  expect(made).toMatchObject({ code: 0, answer: { ok: true, plan: { to } } });
  expect(made.stderr).toContain('forget-source');
  const { opId } = made.answer['plan'] as { opId: string };
  expect(await run('acknowledge', opId, '--by', 'ada')).toMatchObject({
    code: 0,
    answer: { ok: true, opId, by: 'ada' },
  });
  expect(await run('acknowledge', 'none')).toMatchObject({
    code: 2,
    stderr: 'ERR_INVALID_OPTION: No change is called none; `stormlamp failover history` names them\n',
  });
  const history = await run('history', '--count', '5');
  expect(history.code).toBe(0);
  expect(JSON.stringify(history.answer)).toContain(`ada has looked at ${opId}`);
  expect(JSON.stringify(history.answer)).toContain(`${to} is the primary, epoch 1`);
  // As a failover leaves it.
  const frozen = { replicas: { [to]: { received: '0-1-100', acknowledges: true } }, commitWaits: null };
  const next = servers.databases.find(({ id }) => id === to);
  await next?.query('UPDATE ha_meta.operation SET details=? WHERE op_id=?', [JSON.stringify(frozen), opId]);
  const found = await run('history', '--count', '10');
  expect(found.answer['records']).toContainEqual(
    expect.objectContaining({ opId, kind: 'change-done', frozen }),
  );
  expect(found.stderr).toContain(`\n  ${to} had received 0-1-100, and acknowledges\n`);
});

test('pause, and resume by another process', { timeout: 180_000 }, async () => {
  expect(await run('pause', '--seconds', '0')).toMatchObject({ code: 2 });
  expect(await run('resume')).toMatchObject({ code: 0, answer: { ok: true, ended: false } });
  const paused = await run('pause', '--seconds', '600', '--reason', 'new disks');
  expect(paused).toMatchObject({ code: 0, answer: { ok: true, seconds: 600, reason: 'new disks' } });
  const id = String(paused.answer['id']);
  expect(paused.stderr).toContain(`resume ${id}`);
  expect(await run('resume', 'another')).toMatchObject({ code: 0, answer: { ended: false } });
  expect(await run('resume', id)).toMatchObject({ code: 0, answer: { ok: true, ended: true } });
  expect(await run('pause')).toMatchObject({ code: 0 });
  expect(await run('resume')).toMatchObject({ code: 0, answer: { ok: true, ended: true } });
  const history = await run('history', '--count', '5');
  expect(JSON.stringify(history.answer)).toContain('Automatic changes are allowed again, after: maintenance');
});

test('who only looks is told of the last change, and leaves nothing behind', {
  timeout: 240_000,
}, async () => {
  const count = async (): Promise<number> =>
    Number((await servers.primary.query('SELECT COUNT(*) AS n FROM ha_meta.journal'))[0]?.['n']);
  const before = await count();
  expect(before).toBeGreaterThan(0);
  const { code, stdout } = await stormlamp(['status', '--config', join(folder, 'options.json'), '--json']);
  expect([code, JSON.parse(stdout)]).toMatchObject([
    0,
    {
      mysql: {
        failover: { mode: 'auto', failure: null },
        lastChange: {
          message: expect.stringMatching(/^switchover from \S+ to (\S+): \1 is the primary, epoch 1/),
        },
      },
    },
  ]);
  for (const words of [['preflight'], ['plan'], ['history']]) expect((await run(...words)).code).toBe(0);
  expect(await count()).toBe(before);
});

test.each(
  [80, 40].flatMap((columns) => ['preflight', 'plan', 'history'].map((action) => [action, columns] as const)),
)('%s at a terminal of %i columns is wrapped, and nothing of it is cut', async (action, columns) => {
  const shown = await atTerminal(columns, ['failover', action, '--config', join(folder, 'options.json')]);
  const lines = linesOf(shown);
  for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns);
  expect(shown).not.toContain('…');
  expect(lines.join('')).toContain(servers.primary.id);
});

test('a word that is none', async () => {
  expect(await run('switchover', servers.replicas[0]?.id ?? '')).toMatchObject({
    code: 2,
    answer: { ok: false, error: { code: 'ERR_INVALID_OPTION', message: expect.stringContaining('--to') } },
  });
  expect(await run('promote')).toMatchObject({
    code: 2,
    answer: { ok: false, error: { code: 'ERR_INVALID_OPTION' } },
  });
});
