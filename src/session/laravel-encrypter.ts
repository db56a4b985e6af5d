/** Laravel's encryption: what `Illuminate\Encryption\Encrypter` writes and reads, with the keys of `APP_KEY`. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { invalidOption, readChoice } from '../common/option-reader.js';

/** `app.cipher`. */
export type LaravelCipher = 'AES-128-CBC' | 'AES-256-CBC' | 'AES-128-GCM' | 'AES-256-GCM';

/** The cipher of a Laravel that was not told another one. */
export const DEFAULT_LARAVEL_CIPHER: LaravelCipher = 'AES-256-CBC';

const TAG_BYTES = 16;

interface Payload {
  readonly iv: string;
  readonly value: string;
  readonly mac: string;
  readonly tag: string;
}

/** Encrypts with the first key, decrypts with any. */
export class LaravelEncrypter {
  readonly #keys: readonly Buffer[];
  readonly #cipher: LaravelCipher;

  /**
   * @param optionPath the name of the keys' option in errors, which never show a key
   * @param keys `APP_KEY` as it is in `.env`, `base64:` included, then `APP_PREVIOUS_KEYS`
   * @throws StormlampError `ERR_INVALID_OPTION` for a key that does not fit the cipher.
   */
  constructor(
    optionPath: string,
    keys: string | readonly string[],
    cipher: LaravelCipher = DEFAULT_LARAVEL_CIPHER,
  ) {
    this.#cipher = readChoice(
      'cipher',
      cipher,
      ['AES-128-CBC', 'AES-256-CBC', 'AES-128-GCM', 'AES-256-GCM'],
      DEFAULT_LARAVEL_CIPHER,
    );
    const size = this.#cipher.startsWith('AES-256') ? 32 : 16;
    const list: readonly unknown[] = Array.isArray(keys) ? keys : [keys];
    if (list.length === 0) throw invalidOption(optionPath, 'a key, or a list of keys', keys);
    this.#keys = list.map((key) => {
      const bytes = typeof key === 'string' ? keyBytes(key) : undefined;
      if (bytes?.length === size) return bytes;
      throw invalidOption(
        optionPath,
        `keys of ${size} bytes for ${this.#cipher}, as \`php artisan key:generate\` makes them (base64:…)`,
        bytes === undefined ? typeof key : `a key of ${bytes.length} bytes`,
      );
    });
  }

  /** The keys as bytes, the one to encrypt with first. */
  get keys(): readonly Buffer[] {
    return this.#keys;
  }

  /** Encrypts, as `encryptString` does. */
  encrypt(plain: Buffer): string {
    const key = this.#keys[0] as Buffer;
    const iv = randomBytes(this.#aead ? 12 : 16);
    const encryption = createCipheriv(this.#name, key, iv);
    const value = Buffer.concat([encryption.update(plain), encryption.final()]).toString('base64');
    const ivText = iv.toString('base64');
    // The order of the members is PHP's.
    const payload: Payload = this.#aead
      ? { iv: ivText, value, mac: '', tag: gcmTag(encryption).toString('base64') }
      : { iv: ivText, value, mac: macOf(key, ivText, value).toString('hex'), tag: '' };
    return Buffer.from(JSON.stringify(payload)).toString('base64');
  }

  /** Decrypts, as `decryptString` does; undefined for what none of the keys encrypted, or somebody changed. */
  decrypt(text: string): Buffer | undefined {
    const payload = parsePayload(text);
    if (payload === undefined) return undefined;
    for (const key of this.#keys) {
      const plain = this.#decryptWith(key, payload);
      if (plain !== undefined) return plain;
    }
    return undefined;
  }

  #decryptWith(key: Buffer, { iv, value, mac, tag }: Payload): Buffer | undefined {
    const ivBytes = Buffer.from(iv, 'base64');
    if (ivBytes.length !== (this.#aead ? 12 : 16)) return undefined;
    try {
      const decryption = createDecipheriv(this.#name, key, ivBytes);
      if (this.#aead) {
        const tagBytes = Buffer.from(tag, 'base64');
        // A shorter tag is easier to guess.
        if (tagBytes.length !== TAG_BYTES) return undefined;
        (decryption as ReturnType<typeof createDecipheriv> & { setAuthTag(tag: Buffer): void }).setAuthTag(
          tagBytes,
        );
      } else if (!sameMac(macOf(key, iv, value), mac)) return undefined;
      return Buffer.concat([decryption.update(Buffer.from(value, 'base64')), decryption.final()]);
    } catch {
      // Wrong padding or a wrong tag: another key's, or changed.
      return undefined;
    }
  }

  get #aead(): boolean {
    return this.#cipher.endsWith('GCM');
  }

  get #name(): string {
    return this.#cipher.toLowerCase();
  }
}

function keyBytes(key: string): Buffer {
  return key.startsWith('base64:') ? Buffer.from(key.slice('base64:'.length), 'base64') : Buffer.from(key);
}

function gcmTag(encryption: ReturnType<typeof createCipheriv>): Buffer {
  return (encryption as ReturnType<typeof createCipheriv> & { getAuthTag(): Buffer }).getAuthTag();
}

function macOf(key: Buffer, iv: string, value: string): Buffer {
  return createHmac('sha256', key)
    .update(iv + value)
    .digest();
}

function sameMac(expected: Buffer, given: string): boolean {
  const bytes = Buffer.from(given, 'hex');
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}

function parsePayload(text: string): Payload | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { iv, value, mac, tag = '' } = parsed as Partial<Record<keyof Payload, unknown>>;
  if (typeof iv !== 'string' || typeof value !== 'string' || typeof mac !== 'string') return undefined;
  // Before version 9 there was no tag, and null may stand for it.
  return { iv, value, mac, tag: typeof tag === 'string' ? tag : '' };
}
