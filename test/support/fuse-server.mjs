/**
 * A file system in this process: what is in the folder `argv[2]`, by the kernel's FUSE protocol on file descriptor 3. It hangs
 * while the process is stopped, as a network mount whose server is gone, and errs as the file `argv[3]` tells it:
 * - `stale all`: every request is answered by ESTALE; `stale open`: requests on files that are open now are, for good; `stale N`:
 *   on those that are open at the next request of number N.
 * - `stop N`: the process stops itself before the next request of number N, once.
 * - `refuse N ERRNO`: requests of number N are answered by that error.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmdirSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

const [, , root, orders] = process.argv;
const DEVICE = 3;
const MAX_WRITE = 131_072;
const { ENOSYS, ESTALE, EIO } = { ENOSYS: 38, ESTALE: 116, EIO: 5 };

const paths = new Map([[1n, root]]);
const open = new Map();
let nextHandle = 1n;
let stale = false;

class Refused extends Error {
  constructor(errno) {
    super(`errno ${errno}`);
    this.errno = -errno;
  }
}

const text = (bytes) => bytes.toString('utf8', 0, bytes.indexOf(0));
const pathOf = (node) => {
  const path = paths.get(node);
  if (path === undefined) throw new Refused(ESTALE);
  return path;
};
const nodeOf = (path, { ino }) => {
  const node = path === root ? 1n : ino + 1n;
  paths.set(node, path);
  return node;
};
const fileOf = (handle) => {
  const file = open.get(handle);
  if (file === undefined || file.stale) throw new Refused(ESTALE);
  return file;
};

function attributes(found) {
  const out = Buffer.alloc(88);
  for (const [index, value] of [
    found.ino,
    found.size,
    found.blocks,
    found.atimeNs / 1_000_000_000n,
    found.mtimeNs / 1_000_000_000n,
    found.ctimeNs / 1_000_000_000n,
  ].entries())
    out.writeBigUInt64LE(value, index * 8);
  for (const [index, value] of [
    found.atimeNs % 1_000_000_000n,
    found.mtimeNs % 1_000_000_000n,
    found.ctimeNs % 1_000_000_000n,
    found.mode,
    found.nlink,
    found.uid,
    found.gid,
    0n,
    4096n,
    0n,
  ].entries())
    out.writeUInt32LE(Number(value), 48 + index * 4);
  return out;
}

/** Nothing is cached: every look at a file is a request. */
function entry(path) {
  const found = lstatSync(path, { bigint: true });
  const head = Buffer.alloc(40);
  head.writeBigUInt64LE(nodeOf(path, found), 0);
  return Buffer.concat([head, attributes(found)]);
}
const attributeAnswer = (found) => Buffer.concat([Buffer.alloc(16), attributes(found)]);

function opened(file) {
  const out = Buffer.alloc(16);
  out.writeBigUInt64LE(nextHandle, 0);
  // Read and written directly, past the kernel's cache of pages.
  out.writeUInt32LE(1, 8);
  open.set(nextHandle, { ...file, stale: false });
  nextHandle += 1n;
  return out;
}

function directory(path) {
  return [['.', path], ['..', path], ...readdirSync(path).map((name) => [name, join(path, name)])];
}

function listing({ entries }, offset, size) {
  const parts = [];
  let length = 0;
  for (let place = Number(offset); place < entries.length; place += 1) {
    const [name, path] = entries[place];
    let found;
    try {
      found = lstatSync(path, { bigint: true });
    } catch {
      continue;
    }
    const bytes = Buffer.from(name);
    const part = Buffer.alloc(Math.ceil((24 + bytes.length) / 8) * 8);
    part.writeBigUInt64LE(found.ino, 0);
    part.writeBigUInt64LE(BigInt(place + 1), 8);
    part.writeUInt32LE(bytes.length, 16);
    part.writeUInt32LE(Number(found.mode & 0o170000n) >> 12, 20);
    bytes.copy(part, 24);
    if (length + part.length > size) break;
    parts.push(part);
    length += part.length;
  }
  return Buffer.concat(parts);
}

function change(node, body) {
  const valid = body.readUInt32LE(0);
  const fd = (valid & 64) !== 0 ? fileOf(body.readBigUInt64LE(8)).fd : undefined;
  const path = pathOf(node);
  if ((valid & 1) !== 0) chmodSync(path, body.readUInt32LE(68) & 0o7777);
  if ((valid & 6) !== 0) {
    const now = lstatSync(path);
    chownSync(
      path,
      (valid & 2) !== 0 ? body.readUInt32LE(76) : now.uid,
      (valid & 4) !== 0 ? body.readUInt32LE(80) : now.gid,
    );
  }
  if ((valid & 8) !== 0) {
    const size = Number(body.readBigUInt64LE(16));
    if (fd === undefined) truncateSync(path, size);
    else ftruncateSync(fd, size);
  }
  if ((valid & 48) !== 0) {
    const now = lstatSync(path);
    const date = (flag, nowFlag, seconds, nanoseconds, otherwise) => {
      if ((valid & nowFlag) !== 0) return Date.now() / 1000;
      if ((valid & flag) === 0) return otherwise / 1000;
      return Number(body.readBigInt64LE(seconds)) + body.readUInt32LE(nanoseconds) / 1e9;
    };
    utimesSync(path, date(16, 128, 32, 56, now.atimeMs), date(32, 256, 40, 60, now.mtimeMs));
  }
  return attributeAnswer(
    fd === undefined ? lstatSync(path, { bigint: true }) : fstatSync(fd, { bigint: true }),
  );
}

function rename(node, to, names) {
  const end = names.indexOf(0);
  const before = join(pathOf(node), names.toString('utf8', 0, end));
  const after = join(pathOf(to), text(names.subarray(end + 1)));
  renameSync(before, after);
  for (const [known, path] of paths)
    if (path === before || path.startsWith(`${before}/`)) paths.set(known, after + path.slice(before.length));
}

/** By the numbers of the protocol; `undefined` is an empty answer, `null` none. */
const REQUESTS = {
  1: (node, body) => entry(join(pathOf(node), text(body))),
  2: () => null,
  3: (node, body) => {
    const byHandle = (body.readUInt32LE(0) & 1) !== 0;
    return attributeAnswer(
      byHandle
        ? fstatSync(fileOf(body.readBigUInt64LE(8)).fd, { bigint: true })
        : lstatSync(pathOf(node), { bigint: true }),
    );
  },
  4: change,
  9: (node, body) => {
    const path = join(pathOf(node), text(body.subarray(8)));
    mkdirSync(path, { mode: body.readUInt32LE(0) & 0o7777 });
    return entry(path);
  },
  10: (node, body) => void unlinkSync(join(pathOf(node), text(body))),
  11: (node, body) => void rmdirSync(join(pathOf(node), text(body))),
  12: (node, body) => void rename(node, body.readBigUInt64LE(0), body.subarray(8)),
  14: (node, body) => {
    const flags = body.readUInt32LE(0) & ~(constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW);
    return opened({ fd: openSync(pathOf(node), flags) });
  },
  15: (_node, body) => {
    const bytes = Buffer.alloc(body.readUInt32LE(16));
    const length = readSync(
      fileOf(body.readBigUInt64LE(0)).fd,
      bytes,
      0,
      bytes.length,
      Number(body.readBigUInt64LE(8)),
    );
    return bytes.subarray(0, length);
  },
  16: (_node, body) => {
    const size = body.readUInt32LE(16);
    const out = Buffer.alloc(8);
    const { fd } = fileOf(body.readBigUInt64LE(0));
    out.writeUInt32LE(writeSync(fd, body, 40, size, Number(body.readBigUInt64LE(8))), 0);
    return out;
  },
  17: () => {
    const out = Buffer.alloc(80);
    for (const place of [0, 8, 16, 24, 32]) out.writeBigUInt64LE(1_000_000n, place);
    for (const [place, value] of [
      [40, 4096],
      [44, 255],
      [48, 4096],
    ])
      out.writeUInt32LE(value, place);
    return out;
  },
  18: (_node, body) => {
    const handle = body.readBigUInt64LE(0);
    const file = open.get(handle);
    open.delete(handle);
    if (file?.fd !== undefined) closeSync(file.fd);
  },
  20: (_node, body) => void fsyncSync(fileOf(body.readBigUInt64LE(0)).fd),
  // Sent at every close.
  25: (_node, body) => void fileOf(body.readBigUInt64LE(0)),
  26: (_node, body) => {
    const out = Buffer.alloc(64);
    for (const [place, value] of [
      [0, 7],
      [4, Math.min(31, body.readUInt32LE(4))],
      [8, 65_536],
      [20, MAX_WRITE],
      [24, 1],
    ])
      out.writeUInt32LE(value, place);
    return out;
  },
  27: (node) => opened({ entries: directory(pathOf(node)) }),
  28: (_node, body) =>
    listing(fileOf(body.readBigUInt64LE(0)), body.readBigUInt64LE(8), body.readUInt32LE(16)),
  29: (_node, body) => void open.delete(body.readBigUInt64LE(0)),
  30: () => undefined,
  35: (node, body) => {
    const path = join(pathOf(node), text(body.subarray(16)));
    const fd = openSync(
      path,
      (body.readUInt32LE(0) & ~constants.O_NOFOLLOW) | constants.O_CREAT,
      body.readUInt32LE(4) & 0o7777,
    );
    return Buffer.concat([entry(path), opened({ fd })]);
  },
  36: () => null,
  38: () => undefined,
  42: () => null,
  45: (node, body) => void rename(node, body.readBigUInt64LE(0), body.subarray(16)),
};

function obey(request) {
  stale = false;
  if (!existsSync(orders)) return;
  const [order, at, errno] = readFileSync(orders, 'utf8').trim().split(' ');
  const now = at === 'open' || at === String(request);
  if (order === 'refuse' && now) throw new Refused(Number(errno));
  if (order === 'stale' && at === 'all') stale = true;
  else if (now) unlinkSync(orders);
  if (order === 'stale' && now) for (const file of open.values()) file.stale = true;
  if (order === 'stop' && now) process.kill(process.pid, 'SIGSTOP');
}

function answer(request, node, body) {
  try {
    obey(request);
    // The end of what was open is always let pass.
    if (stale && ![2, 18, 26, 29, 36, 38, 42].includes(request)) throw new Refused(ESTALE);
    if (!Object.hasOwn(REQUESTS, request)) throw new Refused(ENOSYS);
    return { error: 0, out: REQUESTS[request](node, body) };
  } catch (error) {
    return { error: typeof error.errno === 'number' ? error.errno : -EIO, out: undefined };
  }
}

const input = Buffer.alloc(MAX_WRITE + 8192);
for (;;) {
  let length;
  try {
    length = readSync(DEVICE, input, 0, input.length, null);
  } catch (error) {
    // A request that was called off before it was read.
    if (error.code === 'ENOENT' || error.code === 'EINTR' || error.code === 'EAGAIN') continue;
    process.exit(error.code === 'ENODEV' ? 0 : 1);
  }
  const { error, out } = answer(
    input.readUInt32LE(4),
    input.readBigUInt64LE(16),
    Buffer.from(input.subarray(40, length)),
  );
  if (out === null) continue;
  const reply = Buffer.concat([Buffer.alloc(16), out ?? Buffer.alloc(0)]);
  reply.writeUInt32LE(reply.length, 0);
  reply.writeInt32LE(error, 4);
  reply.writeBigUInt64LE(input.readBigUInt64LE(8), 8);
  try {
    writeSync(DEVICE, reply);
  } catch {
    // Whoever asked is gone.
  }
}
