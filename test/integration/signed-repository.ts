/**
 * A small Debian repository in a folder, signed with a key of its own, so that apt's real client can be tested
 * without a network and without switching its checks off. What it needs of OpenPGP (RFC 9580, version 4 packets)
 * is little enough to be written here; gpg need not be installed.
 */
import { spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { AptSource } from '../../src/testing/servers/apt-sources.js';

const DPKG = 'dpkg-deb';

/** A package to put into the repository. */
export interface TestPackage {
  readonly name: string;
  readonly version: string;
  readonly depends: readonly string[];
  /** Files to copy, by their path in the package. */
  readonly files: Readonly<Record<string, string>>;
}

/** Makes a repository in `folder` and returns it as a package source. */
export function makeRepository(
  folder: string,
  packages: readonly TestPackage[],
  suite: string,
  architecture: string,
): AptSource {
  const index = packages.map((each) => buildPackage(folder, each, architecture)).join('\n');
  const dist = join(folder, 'dists', suite);
  const indexPath = `main/binary-${architecture}/Packages`;
  mkdirSync(dirname(join(dist, indexPath)), { recursive: true });
  writeFileSync(join(dist, indexPath), index);
  const release = [
    'Origin: Debian',
    `Suite: ${suite}`,
    `Codename: ${suite}`,
    `Architectures: ${architecture}`,
    'Components: main',
    `Date: ${new Date().toUTCString()}`,
    'SHA256:',
    ` ${sha256(Buffer.from(index))} ${Buffer.byteLength(index)} ${indexPath}`,
    '',
  ].join('\n');
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const createdAt = Math.floor(Date.now() / 1000) - 60;
  const publicPacket = publicKeyBody(key.publicKey, createdAt);
  const keyring = join(folder, 'repository.gpg');
  writeFileSync(keyring, certificate(key.privateKey, publicPacket, createdAt));
  writeFileSync(join(dist, 'Release'), release);
  const signature = signaturePacket(key.privateKey, publicPacket, 0x00, Buffer.from(release), createdAt);
  writeFileSync(join(dist, 'Release.gpg'), armored(signature));
  return { uri: `file:${folder}`, suite, components: ['main'], signedBy: keyring };
}

function buildPackage(folder: string, { name, version, depends, files }: TestPackage, architecture: string) {
  const control = [
    `Package: ${name}`,
    `Version: ${version}`,
    `Architecture: ${architecture}`,
    'Maintainer: Nobody <nobody@example.test>',
    ...(depends.length === 0 ? [] : [`Depends: ${depends.join(', ')}`]),
    'Description: part of a test',
  ].join('\n');
  const tree = join(folder, 'tree');
  mkdirSync(join(tree, 'DEBIAN'), { recursive: true });
  writeFileSync(join(tree, 'DEBIAN', 'control'), `${control}\n`);
  for (const [path, from] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    copyFileSync(from, join(tree, path));
  }
  const file = `pool/${name}_${version}_${architecture}.deb`;
  mkdirSync(join(folder, 'pool'), { recursive: true });
  const result = spawnSync(DPKG, ['--root-owner-group', '-Zgzip', '-z1', '-b', tree, join(folder, file)], {
    encoding: 'utf8',
  });
  rmSync(tree, { recursive: true });
  if (result.status !== 0) throw new Error(`dpkg-deb failed: ${result.stderr}`);
  const size = statSync(join(folder, file)).size;
  const hash = sha256(readFileSync(join(folder, file)));
  return `${control}\nFilename: ${file}\nSize: ${size}\nSHA256: ${hash}\n`;
}

/** A public key with one user id and the signature that binds them. */
function certificate(key: KeyObject, publicBody: Buffer, createdAt: number): Buffer {
  const userId = Buffer.from('stormlamp test repository');
  const bound = Buffer.concat([keyForHash(publicBody), Buffer.from([0xb4]), uint32(userId.length), userId]);
  return Buffer.concat([
    packet(6, publicBody),
    packet(13, userId),
    signaturePacket(key, publicBody, 0x13, bound, createdAt),
  ]);
}

function publicKeyBody(key: KeyObject, createdAt: number): Buffer {
  const { n = '', e = '' } = key.export({ format: 'jwk' });
  return Buffer.concat([
    Buffer.from([4]),
    uint32(createdAt),
    Buffer.from([1]),
    mpi(Buffer.from(n, 'base64url')),
    mpi(Buffer.from(e, 'base64url')),
  ]);
}

/** A signature packet of `type` (0x00: of a file, 0x13: of a user id) with RSA and SHA-256. */
function signaturePacket(
  key: KeyObject,
  publicBody: Buffer,
  type: number,
  content: Buffer,
  createdAt: number,
): Buffer {
  const fingerprint = createHash('sha1').update(keyForHash(publicBody)).digest();
  const hashed = Buffer.concat([
    subpacket(2, uint32(createdAt)),
    subpacket(33, Buffer.concat([Buffer.from([4]), fingerprint])),
    // The key may certify and sign.
    ...(type === 0x13 ? [subpacket(27, Buffer.from([0x03]))] : []),
  ]);
  const head = Buffer.concat([Buffer.from([4, type, 1, 8]), uint16(hashed.length), hashed]);
  const trailer = Buffer.concat([Buffer.from([4, 0xff]), uint32(head.length)]);
  const signed = Buffer.concat([content, head, trailer]);
  const issuer = subpacket(16, fingerprint.subarray(12));
  const body = Buffer.concat([
    head,
    uint16(issuer.length),
    issuer,
    createHash('sha256').update(signed).digest().subarray(0, 2),
    mpi(sign('sha256', signed, key)),
  ]);
  return packet(2, body);
}

function armored(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return [
    '-----BEGIN PGP SIGNATURE-----',
    '',
    ...lines,
    checksum(bytes),
    '-----END PGP SIGNATURE-----',
    '',
  ].join('\n');
}

/** The CRC-24 line of an armored text. */
function checksum(bytes: Buffer): string {
  let crc = 0xb704ce;
  for (const byte of bytes) {
    crc ^= byte << 16;
    for (let bit = 0; bit < 8; bit += 1) {
      crc <<= 1;
      if ((crc & 0x1000000) !== 0) crc ^= 0x1864cfb;
    }
  }
  return `=${uint32(crc & 0xffffff)
    .subarray(1)
    .toString('base64')}`;
}

function packet(tag: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0xc0 | tag, 0xff]), uint32(body.length), body]);
}

function subpacket(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([body.length + 1, type]), body]);
}

function keyForHash(publicBody: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x99]), uint16(publicBody.length), publicBody]);
}

function mpi(bytes: Buffer): Buffer {
  let start = 0;
  while (bytes[start] === 0) start += 1;
  const value = bytes.subarray(start);
  const bits = value.length * 8 - Math.clz32(value[0] ?? 0) + 24;
  return Buffer.concat([uint16(bits), value]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
