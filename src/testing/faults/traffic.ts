/** Whose bytes a connection to a database carries: a client's, or a replica's that reads the binary log. */

/** What is known of a connection. `unknown` until its client has logged in. */
export type Traffic =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'clients' }
  | {
      readonly kind: 'replication';
      /** The replica's `server_id`, once it has registered. */
      readonly serverId: number | undefined;
    };

/** Which connections a fault is for. */
export type TrafficFilter = 'all' | 'clients' | 'replication' | { readonly replica: number };

/** Whether a fault for `filter` is one of a connection with `traffic`. */
export function concerns(filter: TrafficFilter, traffic: Traffic): boolean {
  if (filter === 'all') return true;
  if (typeof filter === 'object')
    return traffic.kind === 'replication' && traffic.serverId === filter.replica;
  return traffic.kind === filter;
}

const HEADER_BYTES = 4;
/** Capabilities, packet size, character set and filler come before the user's name. */
const USER_OFFSET = 32;
const CLIENT_SSL = 0x800;
const COM_REGISTER_REPLICA = 0x15;
/** Replicas ask a few things before they register; a client that sent so many packets is none. */
const PACKET_LIMIT = 60;
/** The longest start of a packet that is looked at. */
const LOOKED_AT_BYTES = 300;

/**
 * Reads what a MySQL client sends (https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html), until it is
 * clear what it is. Packets may be torn anywhere.
 */
export class TrafficDetector {
  readonly #replicationUser: string;
  #start: Buffer = Buffer.alloc(0);
  #skipBytes = 0;
  #packets = 0;
  #traffic: Traffic = { kind: 'unknown' };

  /** `replicationUser` is whom replicas log in as. */
  constructor(replicationUser: string) {
    this.#replicationUser = replicationUser;
  }

  /** Whether nothing more can be learnt. */
  get done(): boolean {
    const traffic = this.#traffic;
    return (
      this.#packets >= PACKET_LIMIT || (traffic.kind === 'replication' && traffic.serverId !== undefined)
    );
  }

  /** What is known after the client has also sent `bytes`. */
  read(bytes: Buffer): Traffic {
    let rest = bytes;
    while (rest.length > 0 && !this.done) {
      const skipped = Math.min(this.#skipBytes, rest.length);
      this.#skipBytes -= skipped;
      rest = rest.subarray(skipped);
      if (rest.length === 0) break;
      this.#start = Buffer.concat([this.#start, rest]);
      rest = this.#takePacket();
    }
    return this.#traffic;
  }

  /** Takes one packet off the start if its interesting part is there, and returns what comes after that part. */
  #takePacket(): Buffer {
    const start = this.#start;
    const nothing = Buffer.alloc(0);
    if (start.length < HEADER_BYTES) return nothing;
    const length = HEADER_BYTES + start.readUIntLE(0, 3);
    const wanted = Math.min(length, LOOKED_AT_BYTES);
    if (start.length < wanted) return nothing;
    this.#look(start.readUInt8(3), start.subarray(HEADER_BYTES, wanted));
    this.#packets += 1;
    this.#start = nothing;
    this.#skipBytes = length - wanted;
    return start.subarray(wanted);
  }

  #look(sequence: number, payload: Buffer): void {
    if (this.#packets === 0) this.#traffic = this.#login(payload);
    // Later packets of the login have other sequence numbers than commands, which begin at 0.
    else if (sequence === 0 && payload.length >= 5 && payload[0] === COM_REGISTER_REPLICA)
      this.#traffic = { kind: 'replication', serverId: payload.readUInt32LE(1) };
  }

  #login(payload: Buffer): Traffic {
    const isTls = payload.length >= 4 && (payload.readUInt32LE(0) & CLIENT_SSL) !== 0;
    if (isTls) {
      // Nothing of what follows can be read.
      this.#packets = PACKET_LIMIT;
      return { kind: 'clients' };
    }
    const end = payload.indexOf(0, USER_OFFSET);
    const user = end < 0 ? '' : payload.toString('utf8', USER_OFFSET, end);
    return user === this.#replicationUser
      ? { kind: 'replication', serverId: undefined }
      : { kind: 'clients' };
  }
}
