/** Runs suites one after the other and gathers what they measured. */
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { contest } from './contest.mjs';
import { judge, round, summary } from './figures.mjs';

/** @param {readonly string[]} names @param {{ quick: boolean, signal: AbortSignal }} options */
export async function runSuites(names, { quick, signal }) {
  const suites = [];
  for (const name of names) {
    signal.throwIfAborted();
    suites.push(await runSuite(join(import.meta.dirname, 'suites', `${name}.mjs`), { quick, signal }));
  }
  return {
    machine: `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, shared`,
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
    quick,
    suites,
  };
}

async function runSuite(file, { quick, signal }) {
  const { suite, peers } = await import(pathToFileURL(file).href);
  const started = performance.now();
  const onProgress = (text) => process.stderr.write(`${suite.name}: ${text}\n`);
  onProgress('starting servers');
  const { context, notes = [], servers = [], close } = await suite.setup({ quick, onProgress, signal });
  try {
    const rounds = quick ? 3 : 9;
    const result = await contest({
      file,
      peers: Object.keys(peers),
      works: suite.works({ quick, context }),
      context,
      rounds,
      onProgress,
      signal,
    });
    const memory = Object.entries(result.memory).map(([peer, { openMb, endMb }]) => ({
      peer,
      heapMbOpen: round(openMb),
      heapMbEnd: endMb === undefined ? null : round(endMb),
    }));
    return {
      name: suite.name,
      title: suite.title,
      rounds,
      seconds: Math.round((performance.now() - started) / 1000),
      servers,
      notes: [...notes, ...result.failures.map(({ peer, reason }) => `${peer} dropped out: ${reason}`)],
      rows: result.rows.map(summary),
      goals: suite.goals.map((goal) => judge(result.rows, goal)),
      memory,
    };
  } finally {
    await close();
  }
}
