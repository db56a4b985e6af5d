/** A name server for tests: it answers with the records that it is given, and says of everything else that it does not exist. */
import { createSocket } from 'node:dgram';

/** A service record. */
export interface ServiceRecord {
  readonly name: string;
  readonly port: number;
  readonly priority?: number;
}

/** What the name server knows; may be changed while it runs. */
export interface DnsRecords {
  /** IPv4 addresses by name. */
  a: Record<string, readonly string[]>;
  /** Services by record name. */
  srv: Record<string, readonly ServiceRecord[]>;
}

/** A running name server. */
export interface DnsServer {
  /** `address:port`. */
  readonly address: string;
  /** Stops it. */
  close(): Promise<void>;
}

const A = 1;
const SRV = 33;
const NAME_ERROR = 3;

/** Starts a name server on a port of its own. */
export async function startDnsServer(records: DnsRecords): Promise<DnsServer> {
  const socket = createSocket('udp4');
  socket.on('message', (query, peer) => socket.send(answerTo(query, records), peer.port, peer.address));
  await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done));
  return {
    address: `127.0.0.1:${socket.address().port}`,
    close: () => new Promise((done) => socket.close(() => done())),
  };
}

function answerTo(query: Buffer, records: DnsRecords): Buffer {
  let at = 12;
  const labels: string[] = [];
  while ((query[at] ?? 0) !== 0) {
    const length = query[at] ?? 0;
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = query.readUInt16BE(at + 1);
  const question = query.subarray(12, at + 5);
  const name = labels.join('.').toLowerCase();
  const answers = type === A ? (records.a[name] ?? []).map(addressData) : [];
  if (type === SRV) answers.push(...(records.srv[name] ?? []).map(serviceData));
  const known = records.a[name] !== undefined || records.srv[name] !== undefined;
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8580 | (known ? 0 : NAME_ERROR), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  const bodies = answers.map((data) => {
    const head = Buffer.alloc(12);
    // The name is that of the question, by a pointer to it.
    head.writeUInt16BE(0xc00c, 0);
    head.writeUInt16BE(type, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt32BE(0, 6);
    head.writeUInt16BE(data.length, 10);
    return Buffer.concat([head, data]);
  });
  return Buffer.concat([header, question, ...bodies]);
}

function addressData(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

function serviceData({ name, port, priority = 0 }: ServiceRecord): Buffer {
  const head = Buffer.alloc(6);
  head.writeUInt16BE(priority, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt16BE(port, 4);
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([head, ...labels, Buffer.from([0])]);
}
