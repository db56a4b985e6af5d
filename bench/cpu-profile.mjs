/** What a V8 profile of the processor says about where the time went. */

/** What V8 tells of itself and of native code, by the words of this project. */
const NATIVE = new Map([
  ['(garbage collector)', 'garbage collector'],
  ['(program)', 'engine'],
  ['runMicrotasks', 'queue of promises'],
  ['writeBuffer', 'write to sockets'],
  ['writev', 'write to sockets'],
  ['writeUtf8String', 'write to sockets'],
  ['writeLatin1String', 'write to sockets'],
]);

/**
 * Shares of the time in which the process was not idle, by what the code belongs to, the function of stormlamp that took the
 * largest share, and that time in microseconds. V8 counts a thread that waits for a processor as busy with what it was at.
 *
 * @param {{ nodes: { id: number, callFrame: { functionName: string, url: string } }[], samples: number[], timeDeltas: number[] }} profile
 * @returns {{ shares: Record<string, number>, largest: { name: string, share: number }, busyUs: number }}
 */
export function sharesOf({ nodes, samples, timeDeltas }) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const parts = new Map();
  const functions = new Map();
  let total = 0;
  for (const [index, id] of samples.entries()) {
    const { functionName, url } = frames.get(id);
    if (functionName === '(idle)') continue;
    const time = timeDeltas[index];
    total += time;
    const part = partOf(functionName, url);
    parts.set(part, (parts.get(part) ?? 0) + time);
    if (!part.startsWith('stormlamp')) continue;
    const name = `${functionName || 'a function without a name'} (${url.split('/').at(-1)})`;
    functions.set(name, (functions.get(name) ?? 0) + time);
  }
  const [name, time] = [...functions].sort(([, a], [, b]) => b - a)[0] ?? ['none', 0];
  return {
    shares: Object.fromEntries([...parts].map(([part, of]) => [part, of / total])),
    largest: { name, share: total === 0 ? 0 : time / total },
    busyUs: total,
  };
}

function partOf(functionName, url) {
  const own = /\/dist\/(?:([^/]+)\/(?:(copies|resync)\/)?)?/.exec(url);
  const dependency = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url);
  if (dependency !== null) return dependency[1];
  if (own !== null) return ['stormlamp', ...own.slice(1).filter((folder) => folder !== undefined)].join('/');
  if (url.includes('/bench/')) return 'the benchmark';
  return NATIVE.get(functionName) ?? 'Node itself';
}
