/** Runs suites one after the other and gathers what they measured. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { contest } from './contest.mjs';
import { judge, round, summary } from './figures.mjs';
import { machine, moment } from './machine.mjs';

const ROUNDS = 7;
const QUICK_ROUNDS = 3;
/** What a suite may take at most, and what its end may: one that hangs costs its own figures and no others. */
const SUITE_LIMIT_MS = 25 * 60_000;
const CLOSE_LIMIT_MS = 60_000;

/**
 * Runs suites until all have run or `signal` aborts; what was measured until then is the result, and says so.
 *
 * @param {readonly string[]} names
 * @param {{ quick: boolean, signal: AbortSignal, onSuite?(result: object): void, folder?: string, limitMs?: number }} options
 *   `onSuite` gets everything measured so far after each suite.
 */
export async function runSuites(names, options) {
  const {
    quick,
    signal,
    onSuite,
    folder = join(import.meta.dirname, 'suites'),
    limitMs = SUITE_LIMIT_MS,
  } = options;
  const suites = [];
  const result = () => ({
    ...machine(),
    quick,
    missing: names.slice(suites.length),
    suites,
  });
  for (const [index, name] of names.entries()) {
    if (signal.aborted) break;
    const onProgress = progressOf(`[${index + 1}/${names.length}] ${name}`);
    suites.push(await runSuite(join(folder, `${name}.mjs`), { name, quick, limitMs, onProgress, signal }));
    onSuite?.(result());
  }
  return result();
}

function progressOf(label) {
  const started = performance.now();
  return (text) => {
    const seconds = Math.round((performance.now() - started) / 1000);
    process.stderr.write(`${label} (${seconds} s): ${text}\n`);
  };
}

async function runSuite(file, options) {
  const started = performance.now();
  const limit = AbortSignal.timeout(options.limitMs);
  const signal = AbortSignal.any([options.signal, limit]);
  const found = await untilAborted(measureSuite(file, { ...options, signal }), signal).catch((error) => ({
    notes: [`Not measured: ${error.message}.`],
    isWhole: false,
  }));
  const stopped = options.signal.aborted
    ? ['Stopped before its end: the figures are of the rounds until then.']
    : limit.aborted
      ? [`Stopped after ${options.limitMs / 60_000} minutes: the figures are of the rounds until then.`]
      : [];
  return {
    name: options.name,
    title: options.name,
    rounds: 0,
    rows: [],
    tables: [],
    goals: [],
    memory: [],
    ...found,
    ...moment(),
    isWhole: (found.isWhole ?? true) && !signal.aborted,
    seconds: Math.round((performance.now() - started) / 1000),
    notes: [...(found.notes ?? []), ...stopped],
  };
}

/** What a suite is given to end by itself once it is told to; then it is left behind. */
function untilAborted(work, signal) {
  return new Promise((resolve, reject) => {
    work.then(resolve, reject);
    const end = () => {
      setTimeout(() => reject(new Error('it did not end when it was told to')), CLOSE_LIMIT_MS).unref();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end);
  });
}

async function measureSuite(file, { quick, onProgress, signal }) {
  const { suite, peers } = await import(pathToFileURL(file).href);
  onProgress('starting servers');
  const { context, notes = [], settle, close } = await suite.setup({ quick, onProgress, signal });
  const rounds = quick ? QUICK_ROUNDS : (suite.rounds ?? ROUNDS);
  try {
    if (suite.measure !== undefined) {
      return {
        title: suite.title,
        ...(await measured(suite, { context, notes, rounds, quick, onProgress, signal })),
      };
    }
    const result = await contest({
      file,
      peers: Object.keys(peers),
      works: suite.works({ quick, context }),
      context,
      rounds,
      warmUps: suite.warmUps,
      settle,
      onProgress,
      signal,
    });
    const memory = Object.entries(result.memory).map(([peer, { openMb, endMb }]) => ({
      peer,
      heapMbOpen: round(openMb),
      heapMbEnd: endMb === undefined ? null : round(endMb),
    }));
    return {
      title: suite.title,
      rounds,
      // Without one of its peers it does not replace figures that have all of them.
      isWhole: result.failures.length === 0,
      notes: [...notes, ...result.failures.map(({ peer, reason }) => `${peer} dropped out: ${reason}`)],
      rows: result.rows.map((row) => summary(row, suite)),
      goals: suite.goals.map((goal) => judge(result.rows, goal)),
      memory,
    };
  } finally {
    onProgress('stopping servers');
    await inTime(close(), CLOSE_LIMIT_MS);
  }
}

/** A suite that is no contest measures by itself and hands over what it finds as it finds it. */
async function measured(suite, { notes, rounds, signal, ...options }) {
  const found = { rounds, notes: [...notes], tables: [], goals: [] };
  try {
    await suite.measure({ ...options, rounds, signal, found });
  } catch (error) {
    if (!signal.aborted)
      Object.assign(found, { isWhole: false, notes: [...found.notes, `Broke off: ${error.message}.`] });
  }
  return found;
}

function inTime(promise, ms) {
  let timer;
  const late = new Promise((done) => {
    timer = setTimeout(done, ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
