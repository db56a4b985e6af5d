/** Ctrl-C and SIGTERM while a command waits for somebody else: a configuration, or servers that are silent. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningNode, startNode } from '../support/run-node.js';

let folder = '';
let silent: Server;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cli-interrupted-'));
  silent = createServer((socket) => void socket.on('error', () => undefined));
  await new Promise<void>((done) => void silent.listen(0, '127.0.0.1', done));
});
afterAll(() => {
  silent.close();
  rmSync(folder, { recursive: true });
});

const interrupted = { ok: false, error: { code: 'ERR_ABORTED', message: 'interrupted' } };

/** Sends `signal` as soon as the command waits, and lets it come to its end. */
async function interrupt(
  words: readonly string[],
  config: string,
  waits: (running: RunningNode) => Promise<unknown>,
  signal: NodeJS.Signals,
) {
  const running = startNode(['dist/cli/main.js', ...words, '--json', '--config', config], {
    timeoutMs: 25_000,
  });
  await waits(running);
  running.child.kill(signal);
  const { code, signal: killedBy, stdout, stderr } = await running.finished;
  return { code, killedBy, document: stdout === '' ? null : (JSON.parse(stdout) as unknown), stderr };
}

test.each([
  [['status'], 'SIGINT', 130],
  [['gateway'], 'SIGTERM', 143],
] as const)(
  '%j while its configuration waits for ever, %s: exit code %i and one document',
  async (words, signal, code) => {
    const config = join(folder, 'waits.mjs');
    // As one that asks a secret store that does not answer.
    writeFileSync(
      config,
      "setInterval(() => undefined, 1e6); console.error('reading'); export default () => new Promise(() => undefined);",
    );
    const waits = (running: RunningNode) =>
      expect.poll(() => running.output(), { timeout: 15_000 }).toContain('reading');
    expect(await interrupt(words, config, waits, signal)).toEqual({
      code,
      killedBy: null,
      document: interrupted,
      stderr: 'reading\nInterrupted; everything that was started is stopped.\n',
    });
  },
  30_000,
);

test('status with servers that say nothing ends at Ctrl-C, without its document', async () => {
  const { port } = silent.address() as AddressInfo;
  const config = join(folder, 'silent.json');
  const mysql = { primary: `mysql://u:p@127.0.0.1:${port}/shop` };
  writeFileSync(config, JSON.stringify({ mysql, sessions: { nodes: [`127.0.0.1:${port}`] } }));
  const waits = () => once(silent, 'connection');
  expect(await interrupt(['status'], config, waits, 'SIGINT')).toEqual({
    code: 130,
    killedBy: null,
    document: interrupted,
    stderr: 'Interrupted; everything that was started is stopped.\n',
  });
}, 30_000);
