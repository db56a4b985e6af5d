/** Cuts what a client of the binary protocol sends into requests. */
import { type BinaryOrigin, BinaryStatus, binaryError } from './binary-answers.js';
import { allowedBeforeLogin, carriesValue, readBinaryRequest } from './binary-command.js';
import type { GatewayRequest, ReaderLimits, RequestReader } from './gateway-request.js';
import type { InputBuffer } from './input-buffer.js';
import { KEY_LIMIT } from './wire-key.js';

const HEADER_BYTES = 24;
const REQUEST_MAGIC = 0x80;
/** Bodies of commands that carry no item: extras, key, and for a login the credentials. */
const SMALL_BODY_LIMIT = 4_096;

/** Reads headers, and the bodies that they announce. */
export class BinaryReader implements RequestReader {
  readonly #input: InputBuffer;
  readonly #limits: ReaderLimits;
  #admitted: boolean;

  /** Reads from `input`. */
  constructor(input: InputBuffer, limits: ReaderLimits) {
    this.#input = input;
    this.#limits = limits;
    this.#admitted = !limits.login;
  }

  get midway(): boolean {
    return this.#input.size > 0 || this.#input.skipping;
  }

  /** The client has logged in. */
  admit(): void {
    this.#admitted = true;
  }

  next(): GatewayRequest | undefined {
    if (this.#input.size > 0 && this.#input.byte(0) !== REQUEST_MAGIC) {
      return { kind: 'end', answer: undefined, fault: 'bytes that are no request of the binary protocol' };
    }
    if (this.#input.size < HEADER_BYTES) return undefined;
    const header = this.#input.peek(0, HEADER_BYTES);
    const opcode = header.readUInt8(1);
    const keyBytes = header.readUInt16BE(2);
    const extraBytes = header.readUInt8(4);
    const bodyBytes = header.readUInt32BE(8);
    const origin: BinaryOrigin = { opcode, opaque: header.readUInt32BE(12) };
    if (keyBytes + extraBytes > bodyBytes) {
      return ended(origin, BinaryStatus.UNKNOWN_COMMAND, 'lengths that contradict each other');
    }
    if (!this.#admitted && !allowedBeforeLogin(opcode)) {
      return ended(origin, BinaryStatus.AUTH_ERROR, 'a command before the login');
    }
    if (keyBytes > KEY_LIMIT) return ended(origin, BinaryStatus.INVALID, 'a key of more than 250 bytes');
    const tooLarge = this.#tooLarge(origin, bodyBytes, bodyBytes - keyBytes - extraBytes);
    if (tooLarge !== undefined) return tooLarge;
    const whole = HEADER_BYTES + bodyBytes;
    if (this.#input.size < whole) return undefined;
    const bytes = this.#input.take(whole);
    const keyAt = HEADER_BYTES + extraBytes;
    const valueAt = keyAt + keyBytes;
    const request = {
      ...origin,
      cas: bytes.readBigUInt64BE(16),
      extras: bytes.subarray(HEADER_BYTES, keyAt),
      key: bytes.subarray(keyAt, valueAt),
      value: bytes.subarray(valueAt),
    };
    return readBinaryRequest(request, this.#limits);
  }

  #tooLarge(origin: BinaryOrigin, bodyBytes: number, valueBytes: number): GatewayRequest | undefined {
    const item = carriesValue(origin.opcode);
    if (item ? valueBytes <= this.#limits.maxValueBytes : bodyBytes <= SMALL_BODY_LIMIT) return undefined;
    this.#input.drop(HEADER_BYTES + bodyBytes);
    const status = item ? BinaryStatus.TOO_LARGE : BinaryStatus.INVALID;
    return item
      ? { kind: 'plain', answer: binaryError(origin, status) }
      : {
          kind: 'end',
          answer: binaryError(origin, status),
          fault: 'a body larger than the command may have',
        };
  }
}

function ended(origin: BinaryOrigin, status: BinaryStatus, fault: string): GatewayRequest {
  return { kind: 'end', answer: binaryError(origin, status), fault };
}
