/** Guesses what listens on a port that was said to be memcached's, from the first bytes it sends. */

/** A few words for an error message, like `an HTTP server`; undefined when nothing is recognised. */
export function foreignPeer(bytes: Buffer): string | undefined {
  const text = bytes.toString('latin1', 0, 32);
  if (text.startsWith('HTTP/')) return 'an HTTP server';
  if (text.startsWith('SSH-')) return 'an SSH server';
  if (/^(ERROR|CLIENT_ERROR|SERVER_ERROR)\b/.test(text))
    return 'a memcached that only speaks the text protocol';
  if (/^[-+](ERR|NOAUTH|DENIED|OK|PONG)/.test(text)) return 'a Redis server';
  if (/^\d{3}[ -]/.test(text)) return 'a mail or file server';
  // A MySQL packet: three bytes of length, number 0, then protocol version 10 or an error.
  if (bytes.length > 4 && bytes[2] === 0 && bytes[3] === 0 && (bytes[4] === 0x0a || bytes[4] === 0xff)) {
    return 'a MySQL or MariaDB server';
  }
  if (bytes[0] === 0x15 && bytes[1] === 0x03) return 'a TLS server';
  return undefined;
}
