/** What a process pays for a library before its first answer, and keeps paying in memory: each in processes of its own. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { median, round, spread } from '../figures.mjs';

const CHILD = join(import.meta.dirname, 'first-query.mjs');
const KINDS = ['mysql2/promise pool', 'AWS wrapper', 'stormlamp, MySQL', 'stormlamp, MySQL and sessions'];
const CHILD_LIMIT_MS = 60_000;

/** Starts processes in turn, each of which asks a first question and tells what that took. */
export async function costOfProcess({ urls, mysql, servers, rounds, onProgress, signal, found }) {
  const context = {
    mysql: { ...mysql, primary: urls.primary, replicas: urls.replicas.slice(0, 2), discover: false },
    sessions: { nodes: servers.memcached.map(({ realPort }) => `127.0.0.1:${realPort}`) },
  };
  const results = new Map(KINDS.map((kind) => [kind, []]));
  for (let turn = 0; turn < rounds && !signal.aborted; turn += 1) {
    onProgress(`processes, round ${turn + 1} of ${rounds}`);
    for (const kind of KINDS) {
      if (signal.aborted) break;
      results.get(kind).push(await firstQuery(kind, context));
    }
  }
  const middle = (kind, field) => median(results.get(kind).map((one) => one[field]));
  found.tables.push({
    title: 'A process: its start and its memory',
    rows: KINDS.map((kind) => ({
      process: kind,
      'import ms': round(middle(kind, 'importMs')),
      'half of the rounds': spread(results.get(kind).map(({ importMs }) => importMs)),
      'first row ms': round(middle(kind, 'firstRowMs')),
      'CPU ms until then': round(middle(kind, 'cpuMs')),
      'heap MB': round(middle(kind, 'heapMb')),
      'RSS MB': round(middle(kind, 'rssMb')),
      'RSS MB over mysql2': round(middle(kind, 'rssMb') - middle(KINDS[0], 'rssMb')),
    })),
  });
  found.notes.push(
    'A process imports, connects, reads one row (`first row`, from its first line on), fills ten connections, and is measured after a collection.',
  );
}

function firstQuery(kind, context) {
  return new Promise((done, fail) => {
    const child = fork(CHILD, [kind], { execArgv: ['--expose-gc'], stdio: ['ignore', 2, 2, 'ipc'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), CHILD_LIMIT_MS);
    let answer;
    child.once('message', (message) => {
      answer = message;
      child.kill();
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      if (answer === undefined) fail(new Error(`${kind}: its process ended with code ${code}`));
      else done(answer);
    });
    child.send(context);
  });
}
