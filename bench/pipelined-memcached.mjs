/** The least that a client can do: memcached's meta commands on one socket, written together, answered in order. */
import { connect } from 'node:net';

/** @param {number} port */
export function pipelinedMemcached(port) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const waiting = [];
  let first = 0;
  let rest = Buffer.alloc(0);
  let scheduled = false;
  const settle = (value) => {
    waiting[first](value);
    waiting[first] = undefined;
    first += 1;
    if (first > 4096) {
      waiting.splice(0, first);
      first = 0;
    }
  };
  socket.on('data', (chunk) => {
    let data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const end = data.indexOf('\r\n');
      if (end < 0) break;
      const line = data.latin1Slice(0, end);
      if (!line.startsWith('VA ')) {
        settle(line.startsWith('EN') ? null : line);
        data = data.subarray(end + 2);
        continue;
      }
      const size = Number.parseInt(line.slice(3), 10);
      if (data.length < end + 4 + size) break;
      settle(data.subarray(end + 2, end + 2 + size));
      data = data.subarray(end + 4 + size);
    }
    rest = data;
  });
  const send = (...parts) =>
    new Promise((done) => {
      if (!scheduled) {
        scheduled = true;
        socket.cork();
        process.nextTick(() => {
          scheduled = false;
          socket.uncork();
        });
      }
      waiting.push(done);
      for (const part of parts) socket.write(part);
    });
  return {
    get: (key) => send(`mg ${key} v\r\n`),
    set: (key, value, seconds) => send(`ms ${key} ${value.length} T${seconds}\r\n`, value, '\r\n'),
    touch: (key, seconds) => send(`mg ${key} T${seconds}\r\n`),
    close: () => socket.destroy(),
  };
}
