/** Sends the same bytes to two servers and makes their answers comparable. */
import { connect } from 'node:net';

/** Sends `chunks`, closes the sending side, and resolves with everything that comes back until the server closes too. */
export function exchange(port: number, chunks: readonly Buffer[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true }, () => {
      socket.setNoDelay(true);
      send(0);
    });
    const send = (index: number): void => {
      const chunk = chunks[index];
      if (chunk === undefined) socket.end();
      else socket.write(chunk, () => setImmediate(send, index + 1));
    };
    const timer = setTimeout(() => {
      socket.destroy();
      reject(
        new Error(`No end of the answer; so far ${JSON.stringify(Buffer.concat(parts).toString('latin1'))}`),
      );
    }, 20_000);
    const done = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(Buffer.concat(parts));
    };
    socket.on('data', (part) => void parts.push(part));
    socket.on('end', done);
    // A server that closed while we still sent: what it said before counts.
    socket.on('error', done);
  });
}

/** A text answer without what differs between two servers: ids of versions and the program's version. */
export function comparableText(answer: Buffer): string {
  return answer
    .toString('latin1')
    .replace(/^(VALUE \S+ \d+ \d+) \d+\r$/gm, '$1 <cas>\r')
    .replace(/^VERSION .*\r$/gm, 'VERSION <version>\r');
}

/**
 * Binary requests or answers as lines, without what differs between two servers.
 *
 * @param settled makes keys and values alike that differ from run to run
 */
export function comparableBinary(answer: Buffer, settled = (text: string): string => text): string[] {
  const lines: string[] = [];
  let at = 0;
  while (answer.length - at >= 24) {
    const body = answer.readUInt32BE(at + 8);
    const opcode = answer[at + 1] ?? 0;
    const extraBytes = answer[at + 4] ?? 0;
    const keyBytes = answer.readUInt16BE(at + 2);
    const bytes = answer.subarray(at + 24, at + 24 + body);
    const extras = bytes.toString('hex', 0, extraBytes).replace(/(?<=^(.{8})?)6[a-f][0-9a-f]{6}$/, '<date>');
    const key = settled(bytes.toString('latin1', extraBytes, extraBytes + keyBytes));
    const value = settled(bytes.toString('latin1', extraBytes + keyBytes));
    // The flags in the answer to a touch tell nothing that anybody uses, and of the version only that there is one.
    const shown = opcode === 0x0b ? '<version>' : `${opcode === 0x1c ? '' : extras} ${key} ${value}`;
    const cas = answer.readBigUInt64BE(at + 16) === 0n || opcode === 0x1c ? '' : ' cas';
    const status = answer.readUInt16BE(at + 6);
    lines.push(
      `${answer[at]?.toString(16)} ${opcode.toString(16)} status=${status} key=${keyBytes} extras=${extraBytes} body=${opcode === 0x0b ? '' : body} opaque=${answer.readUInt32BE(at + 12)}${cas} ${JSON.stringify(shown)}`,
    );
    at += 24 + body;
  }
  if (at !== answer.length) lines.push(`rest ${answer.subarray(at).toString('hex')}`);
  return lines;
}

/** A request of the binary protocol; lengths may be forged. */
export function binaryRequest(parts: {
  readonly opcode: number;
  readonly key?: Buffer | string;
  readonly extras?: Buffer;
  readonly value?: Buffer | string;
  readonly cas?: bigint;
  readonly opaque?: number;
  readonly magic?: number;
  readonly keyBytes?: number;
  readonly extraBytes?: number;
  readonly bodyBytes?: number;
}): Buffer {
  const { opcode, extras = Buffer.alloc(0), cas = 0n, opaque = 0, magic = 0x80 } = parts;
  const key = Buffer.from(parts.key ?? '');
  const value = Buffer.from(parts.value ?? '');
  const header = Buffer.alloc(24);
  header[0] = magic;
  header[1] = opcode;
  header.writeUInt16BE(parts.keyBytes ?? key.length, 2);
  header[4] = parts.extraBytes ?? extras.length;
  header.writeUInt32BE(parts.bodyBytes ?? key.length + value.length + extras.length, 8);
  header.writeUInt32BE(opaque, 12);
  header.writeBigUInt64BE(cas, 16);
  return Buffer.concat([header, extras, key, value]);
}
