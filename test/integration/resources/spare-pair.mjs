// Runs in network and mount namespaces of its own: two machines and a client on one bridge, and the story of a hot spare.
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const { voters, leaseMs } = JSON.parse(process.argv[2] ?? '{}');
const IP = '10.9.0.100';
const ip = (...args) => execFileSync('ip', args, { encoding: 'utf8' });

execFileSync('mount', ['-t', 'tmpfs', 'none', '/run']);
ip('link', 'set', 'lo', 'up');
ip('link', 'add', 'bridge0', 'type', 'bridge');
ip('link', 'set', 'bridge0', 'up');
['a', 'b', 'c'].forEach((name, index) => {
  ip('netns', 'add', name);
  ip('link', 'add', `port-${name}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
  ip('link', 'set', `port-${name}`, 'master', 'bridge0', 'up');
  ip('-n', name, 'link', 'set', 'lo', 'up');
  ip('-n', name, 'address', 'add', `10.9.0.${index + 1}/24`, 'dev', 'eth0');
  ip('-n', name, 'link', 'set', 'eth0', 'up');
});
const inside = (name, ...command) =>
  spawn('nsenter', [`--net=/run/netns/${name}`, ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
const macOf = (name) => JSON.parse(ip('-n', name, '-json', 'link', 'show', 'dev', 'eth0'))[0].address;
const has = (name) =>
  JSON.parse(ip('-n', name, '-4', '-json', 'address', 'show', 'dev', 'eth0')).some(({ addr_info = [] }) =>
    addr_info.some(({ local }) => local === IP),
  );
const neighbour = () => {
  const [entry] = JSON.parse(ip('-n', 'c', '-json', 'neigh', 'show', IP, 'dev', 'eth0') || '[]');
  return entry?.lladdr;
};

const told = { a: [], b: [] };
const machines = {};
const children = [];
function start(name) {
  const options = { voters, leaseMs, address: `${IP}/24`, device: 'eth0' };
  const child = inside(
    name,
    process.execPath,
    join(import.meta.dirname, 'address-holder.mjs'),
    JSON.stringify(options),
  );
  child.stdout.on('data', (text) => {
    for (const line of String(text).split('\n'))
      if (line !== '') told[name].push({ at: performance.now(), ...JSON.parse(line) });
  });
  machines[name] = child;
  children.push(child);
}
// A client that talks to the address all the time, so that it knows (and would keep) its hardware address.
const talk = `const s=require('node:dgram').createSocket('udp4');s.on('error',()=>{});setInterval(()=>s.send('x',9,'${IP}',()=>{}),50)`;
children.push(inside('c', process.execPath, '-e', talk));

const holders = [];
let both = 0;
let over = false;
const watching = (async () => {
  while (!over) {
    const now = ['a', 'b'].filter(has);
    if (now.length > 1) both += 1;
    const text = now.join('');
    if (holders.at(-1)?.who !== text) holders.push({ at: performance.now(), who: text });
    await sleep(20);
  }
})();
async function until(what, check) {
  const deadline = performance.now() + 60_000;
  while (!check()) {
    if (performance.now() > deadline)
      throw new Error(`It did not come true: ${what}; ${JSON.stringify({ told, holders })}`);
    await sleep(20);
  }
  return performance.now();
}
const mac = { a: macOf('a'), b: macOf('b') };
const report = {};
try {
  start('a');
  await until('a has the address', () => has('a'));
  await until('the client talks to a', () => neighbour() === mac.a);
  start('b');
  await sleep(500);
  const stoppedAt = performance.now();
  machines.a.kill('SIGSTOP');
  report.goneAfterMs = (await until('the kernel takes it from a', () => !has('a'))) - stoppedAt;
  report.takenAfterMs = (await until('b has the address', () => has('b'))) - stoppedAt;
  await until('the client talks to b', () => neighbour() === mac.b);
  machines.a.kill('SIGCONT');
  const resumedAt = performance.now();
  await until('a knows that it lost it', () =>
    told.a.some(({ at, phase }) => at > resumedAt && phase === 'waiting'),
  );
  // Longer than the kernel keeps an address that is not renewed.
  await sleep(4_000);
  report.afterResume = ['a', 'b'].filter(has).join('');
  // Who was stopped for long does not trust its eyes for a while; the service manager starts it anew.
  machines.a.kill('SIGKILL');
  start('a');
  machines.b.kill('SIGTERM');
  await until('b let go', () => !has('b'));
  await until('a has it again', () => has('a'));
  await until('the client talks to a again', () => neighbour() === mac.a);
  report.ok = true;
} catch (error) {
  report.error = String(error);
} finally {
  over = true;
  await watching;
  for (const child of children) child.kill('SIGKILL');
}
process.stdout.write(`${JSON.stringify({ ...report, both, order: holders.map(({ who }) => who), told })}\n`);
process.exit(0);
