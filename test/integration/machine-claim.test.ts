/** Which process of a machine takes part in elections, where processes are real: workers of `node:cluster`, and one that is stopped. */
import { randomUUID } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { type RunningNode, startNode } from '../support/run-node.js';
import { eventually } from './eventually.js';

const running: RunningNode[] = [];
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.splice(0).map(({ finished }) => finished));
});

const ELECTION =
  "const { Election } = await import('./dist/failover/overseer/election.js');" +
  'const part = (cluster) => new Election({ cluster, host: "web1", waitTimeoutS: 4, onChange() {},' +
  ' targets: [{ voter: "db1:3306", connect: () => Promise.reject(new Error("nobody is there")) }] });';

function start(program: string, cluster: string): RunningNode {
  const node = startNode(['--input-type=module', '-e', ELECTION + program, cluster]);
  running.push(node);
  return node;
}

/** A process that says again and again whether it takes part. */
function startWorker(cluster: string): RunningNode {
  return start(
    'setInterval(() => undefined, 1_000); const own = part(process.argv[1]);' +
      'for (;;) { console.log(await own.takesPart()); await new Promise((done) => setTimeout(done, 100)); }',
    cluster,
  );
}

function lastWord(node: RunningNode): string {
  return node.output().trim().split('\n').at(-1) ?? '';
}

test('of the workers of node:cluster one takes part', async () => {
  const node = start(
    "const { default: cluster } = await import('node:cluster');" +
      'if (cluster.isPrimary) for (const _ of "123") cluster.fork();' +
      'else { console.log(await part(process.argv[1]).takesPart()); setInterval(() => undefined, 1_000); }',
    randomUUID(),
  );
  const said = await eventually('all have said it', () => {
    const words = node.output().match(/true|false/g) ?? [];
    return words.length === 3 ? words : undefined;
  });
  expect([...said].sort()).toEqual(['false', 'false', 'true']);
});

test('while the one that takes part is stopped, one of the others does, and nobody else', async () => {
  const cluster = randomUUID();
  const first = startWorker(cluster);
  await eventually('the first takes part', () => lastWord(first) === 'true');
  const others = [startWorker(cluster), startWorker(cluster)];
  await eventually('the others stand back', () => others.every((each) => lastWord(each) === 'false'));
  first.child.kill('SIGSTOP');
  await eventually('one of the others takes part', () => others.some((each) => lastWord(each) === 'true'));
  const words = others.map((each) => each.output().split('\n').length);
  await eventually('both have been asked again', () =>
    others.every((each, index) => each.output().split('\n').length > (words[index] ?? 0)),
  );
  expect(others.map(lastWord).sort()).toEqual(['false', 'true']);
});
