import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { type LaravelCipher, LaravelEncrypter } from '../../../src/session/laravel-encrypter.js';

const key = (fill: number, size = 32): string => `base64:${Buffer.alloc(size, fill).toString('base64')}`;

test.each(['AES-256-CBC', 'AES-128-CBC', 'AES-256-GCM', 'AES-128-GCM'] as LaravelCipher[])(
  'what %s encrypted is decrypted, and nothing that was changed is',
  (cipher) => {
    const encrypter = new LaravelEncrypter('appKey', key(1, cipher.startsWith('AES-256') ? 32 : 16), cipher);
    const text = encrypter.encrypt(Buffer.from('secret'));
    expect(encrypter.decrypt(text)?.toString()).toBe('secret');
    expect(encrypter.encrypt(Buffer.from('secret'))).not.toBe(text);
    const payload = JSON.parse(Buffer.from(text, 'base64').toString());
    expect(Object.keys(payload)).toEqual(['iv', 'value', 'mac', 'tag']);
    const changed = (change: object): Buffer | undefined =>
      encrypter.decrypt(Buffer.from(JSON.stringify({ ...payload, ...change })).toString('base64'));
    for (const name of ['iv', 'value', 'mac', 'tag']) {
      if (payload[name] === '') continue;
      const bytes = Buffer.from(payload[name], name === 'mac' ? 'hex' : 'base64');
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      expect(changed({ [name]: bytes.toString(name === 'mac' ? 'hex' : 'base64') }), name).toBeUndefined();
      expect(changed({ [name]: '' }), name).toBeUndefined();
      expect(changed({ [name]: null }), name).toBeUndefined();
    }
    // A tag that was cut is easier to guess.
    if (payload.tag !== '')
      expect(
        changed({ tag: Buffer.from(payload.tag, 'base64').subarray(0, 4).toString('base64') }),
      ).toBeUndefined();
  },
);

test('a former key still opens, the first one seals', () => {
  const former = new LaravelEncrypter('appKey', key(1));
  const both = new LaravelEncrypter('appKey', [key(2), key(1)]);
  expect(both.decrypt(former.encrypt(Buffer.from('a')))?.toString()).toBe('a');
  expect(former.decrypt(both.encrypt(Buffer.from('a')))).toBeUndefined();
});

test('anything else than a payload is nothing', () => {
  const encrypter = new LaravelEncrypter('appKey', key(1));
  for (const text of [
    '',
    'x',
    '\0',
    Buffer.from('null').toString('base64'),
    Buffer.from('[]').toString('base64'),
  ])
    expect(encrypter.decrypt(text)).toBeUndefined();
  const iv = Buffer.alloc(16).toString('base64');
  const mac = createHmac('sha256', Buffer.alloc(32, 1)).update(`${iv}AAAA`).digest('hex');
  // Rightly authenticated, but no whole block.
  expect(
    encrypter.decrypt(Buffer.from(JSON.stringify({ iv, value: 'AAAA', mac })).toString('base64')),
  ).toBeUndefined();
});

test('a key that does not fit the cipher is refused without being shown', () => {
  expect(() => new LaravelEncrypter('appKey', key(1, 16))).toThrow('keys of 32 bytes for AES-256-CBC');
  expect(() => new LaravelEncrypter('appKey', 'secretsecret')).toThrow(/^(?!.*secretsecret)/);
  expect(() => new LaravelEncrypter('appKey', [])).toThrow('a key, or a list of keys');
  expect(() => new LaravelEncrypter('appKey', key(1), 'DES' as LaravelCipher)).toThrow('cipher');
});
