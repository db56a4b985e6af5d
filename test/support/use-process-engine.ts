/** The engine of a test file whose containers are processes: started before its tests, in the environment, and gone after them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, vi } from 'vitest';
import { startProcessEngine } from './image-programs.js';
import type { ProcessEngine } from './process-engine.js';

/** Call it once in a file; what it returns tells the engine inside of tests. */
export function useProcessEngine(): () => ProcessEngine {
  let folder: string | undefined;
  let engine: ProcessEngine | undefined;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'docker-'));
    const started = await startProcessEngine(folder);
    engine = started.engine;
    for (const [name, value] of Object.entries(started.env)) vi.stubEnv(name, value);
  });
  afterAll(() => {
    engine?.close();
    vi.unstubAllEnvs();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });
  return () => {
    if (engine === undefined) throw new Error('the engine has not started');
    return engine;
  };
}
