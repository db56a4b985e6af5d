import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { LeaseContext } from '../../../../src/failover/resources/leased-resource.js';
import type { CommandResult } from '../../../../src/failover/resources/run-command.js';
import { virtualIp } from '../../../../src/failover/resources/virtual-ip.js';

let ran: string[];
let answers: Record<string, Partial<CommandResult>>;
let takesMs: number;
let shown: number | undefined;
const run = async (program: string, args: readonly string[]): Promise<CommandResult> => {
  const text = [program, ...args].join(' ');
  ran.push(text);
  if (text.includes('address replace')) {
    if (takesMs > 0) await new Promise((resolve) => setTimeout(resolve, takesMs));
    shown = Number(args.at(-1));
  }
  if (text.includes('address delete')) shown = undefined;
  const addr = shown === undefined ? [] : [{ local: '10.0.0.100', valid_life_time: shown }];
  const stdout = text.includes('address show') ? JSON.stringify([{ addr_info: addr }]) : '';
  const known = Object.entries(answers).find(([begin]) => text.startsWith(begin))?.[1];
  return { code: 0, stdout, stderr: '', ...known };
};
const vip = (): ReturnType<typeof virtualIp> => virtualIp({ address: '10.0.0.100/24', device: 'eth0', run });
const lease = (leftMs: number): LeaseContext => {
  const until = performance.now() + leftMs;
  return { name: 'vip', until: () => until, signal: AbortSignal.timeout(1), report: () => undefined };
};
let end: AbortController;
const held = (leftMs: number): LeaseContext => ({ ...lease(leftMs), signal: end.signal });

beforeEach(() => {
  end = new AbortController();
  ran = [];
  answers = { 'arping -V': { stdout: 'arping from iputils 20221126' } };
  takesMs = 0;
  shown = undefined;
});

afterEach(() => end.abort());

test('it asks whether somebody has the address, takes it for the time that is certain, and tells the neighbours', async () => {
  await vip().acquired(held(4_000));
  await vi.waitFor(() => expect(ran.length).toBe(4), { timeout: 15_000 });
  expect(ran).toEqual([
    'ip -4 -json address show dev eth0',
    'arping -D -c 2 -w 2 -I eth0 10.0.0.100',
    'ip -4 address replace 10.0.0.100/24 dev eth0 valid_lft 3 preferred_lft 3',
    'arping -U -c 1 -w 2 -I eth0 10.0.0.100',
  ]);
});

test('it does not take an address that another machine answers for', async () => {
  answers['arping -D'] = { code: 1 };
  await expect(vip().acquired(held(4_000))).rejects.toThrow(/Another machine answers for 10.0.0.100/);
  expect(ran.join()).not.toContain('replace');
});

test.each(['check', 'acquired'] as const)(
  'neighbours that cannot be asked are another matter than one that answers: told by %s',
  async (when) => {
    answers['arping -D'] = { code: 2, stderr: 'arping: socket: Operation not permitted\n' };
    const told = when === 'check' ? vip().check?.(5_000) : vip().acquired(held(4_000));
    await expect(told).rejects.toThrow(
      /cannot ask the neighbours for 10.0.0.100 \(it ended with 2: arping: socket: Operation not permitted\).*CAP_NET_RAW/,
    );
    expect(ran.join()).not.toContain('replace');
  },
);

test('at the start another machine may have the address', async () => {
  answers['arping -D'] = { code: 1 };
  await vip().check?.(5_000);
});

test('it takes nothing when too little time is left', async () => {
  await vip().renewed?.(held(1_400));
  expect(ran).toEqual([]);
});

test('an address that a slow command set too late is taken off again', async () => {
  takesMs = 700;
  await vip().renewed?.(held(1_600));
  expect(ran.map((text) => text.split(' ')[3])).toEqual(['replace', 'delete']);
});

test('letting go takes it off, and is content when it is gone already', async () => {
  shown = 2;
  const loss = { name: 'vip', because: '', deadline: 0 };
  await vip().lost(loss);
  expect(shown).toBeUndefined();
  ran = [];
  await vip().lost(loss);
  expect(ran).toEqual(['ip -4 -json address show dev eth0']);
});

test.each<[string, number, () => void, RegExp]>([
  ['a lease that is too short for the kernel', 3_000, () => undefined, /leaseMs.*at least 3500/],
  [
    'an address that is configured for good',
    5_000,
    () => (shown = 4_294_967_295),
    /configured on eth0 for good/,
  ],
  ['no arping', 5_000, () => (answers['arping -V'] = { stdout: '' }), /apt-get install iputils-arping/],
  [
    'no such device',
    5_000,
    () => (answers['ip -4 -json'] = { code: 1, stderr: 'Device "eth0" does not exist.' }),
    /eth0.*does not exist/,
  ],
])('the check refuses %s', async (_, leaseMs, arrange, message) => {
  arrange();
  await expect(vip().check?.(leaseMs)).rejects.toThrow(message);
});
