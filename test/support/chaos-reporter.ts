/**
 * The summary of `npm run chaos`: every scenario with its servers and its outcome, on the console and in a file,
 * `chaos-report.md` unless STORMLAMP_CHAOS_REPORT names another one.
 */
import { writeFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { type SummaryRow, summaryOf } from './chaos-summary.js';

/** Vitest makes one when it is named by `--reporter`. */
// biome-ignore lint/style/noDefaultExport: it takes nothing else.
export default class ChaosReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const rows = modules.flatMap((module) => [...module.children.allTests()].map(rowOf));
    const broken = modules
      .filter((module) => module.errors().length > 0)
      .map((module) => `${nameOf(module)}: ${module.errors()[0]?.message}`);
    const text = summaryOf(rows, broken);
    const file = resolve(process.env['STORMLAMP_CHAOS_REPORT'] ?? 'chaos-report.md');
    writeFileSync(file, text);
    process.stdout.write(`\n${text}\nThis is ${file} now.\n`);
  }
}

function rowOf(test: TestCase): SummaryRow {
  const result = test.result();
  const error = result.errors?.[0]?.message.split('\n')[0];
  return {
    file: nameOf(test.module),
    name: test.fullName,
    state: result.state,
    why: error ?? ('note' in result ? result.note : undefined),
    seconds: (test.diagnostic()?.duration ?? 0) / 1_000,
    meta: test.meta().chaos ?? {},
  };
}

function nameOf({ moduleId }: TestModule): string {
  return relative(resolve('test/chaos'), moduleId).replace(/\.test\.ts$/, '');
}
