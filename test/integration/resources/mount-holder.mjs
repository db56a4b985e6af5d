// Runs in a mount namespace of its own: mounts under a made-up lease, and tells what the kernel's table says.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { mountResource } from '../../../dist/index.js';

const path = process.argv[2] ?? '';
// The kernel's table has no symbolic links.
const real = realpathSync(path);
const isMounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${real} `);
const context = {
  name: 'data',
  until: () => performance.now() + 5_000,
  signal: new AbortController().signal,
};
const loss = { name: 'data', because: 'test', deadline: performance.now() + 5_000 };
const steps = [];
const step = (name) => async () => {
  steps.push(`${name} ${isMounted() ? 'mounted' : 'unmounted'}`);
};
const make = (fence, more = {}) =>
  mountResource({
    source: 'none',
    path,
    type: 'tmpfs',
    options: ['size=1m'],
    fence,
    start: step('start'),
    stop: step('stop'),
    ...more,
  });
const fenced = async () => ({ state: 'fenced', proof: 'a test' });
const messageOf = (promise) =>
  promise.then(
    () => '',
    (error) => error.message,
  );

const good = make(fenced);
await good.check?.(5_000);
await good.acquired(context);
const whileHeld = isMounted();
const second = await messageOf(make(fenced).check?.(5_000) ?? Promise.resolve());
await good.lost(loss);
await good.lost(loss);
const unfenced = await messageOf(
  make(async () => ({ state: 'unknown', detail: 'the power switch does not answer' })).acquired(context),
);
const afterUnfenced = isMounted();
const bad = make(fenced, { verify: () => Promise.reject(new Error('not the right disk')) });
const unverified = await messageOf(bad.acquired(context));
await bad.lost(loss);
// The lease is lost while `mount` is still at work.
const lease = new AbortController();
let began = () => {};
let goOn = () => {};
const mountBegan = new Promise((resolve) => {
  began = resolve;
});
const mayMount = new Promise((resolve) => {
  goOn = resolve;
});
const before = steps.length;
const slow = make(fenced, {
  run: async (command, args) => {
    if (command === 'mount') {
      began();
      await mayMount;
    }
    const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    return { code: status, stdout, stderr };
  },
});
const acquiring = slow.acquired({ ...context, signal: lease.signal });
await mountBegan;
lease.abort();
const letGo = slow.lost(loss);
goOn();
await Promise.all([acquiring, letGo]);
const late = { isMounted: isMounted(), steps: steps.slice(before) };
// A file was open when the lease was lost, so that it could not be unmounted.
const hangs = make(fenced, { stop: () => Promise.reject(new Error('the job hangs')) });
await hangs.acquired(context);
writeFileSync(`${path}/old`, 'old');
const open = openSync(`${path}/old`);
const busy = await messageOf(hangs.lost(loss));
const refused = await messageOf(hangs.acquired(context));
closeSync(open);
await hangs.acquired(context);
const files = readdirSync(path);
const hung = await messageOf(hangs.lost(loss));
const stale = { busy, refused, files, hung, isMounted: isMounted() };
console.log(
  JSON.stringify({
    whileHeld,
    second,
    unfenced,
    afterUnfenced,
    unverified,
    atEnd: isMounted(),
    steps: steps.slice(0, before),
    late,
    stale,
  }),
);
