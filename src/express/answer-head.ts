/** What a response says before its body, and the way back from the answer of a handler that is not sent to none. */
import type { ServerResponse } from 'node:http';

/** Headers that speak about one answer; so do all whose names begin with `content-`, but for the policy. */
const OF_THE_ANSWER: ReadonlySet<string> = new Set([
  'location',
  'refresh',
  'cache-control',
  'expires',
  'pragma',
  'last-modified',
  'etag',
  'age',
  'accept-ranges',
  'transfer-encoding',
  'trailer',
  'www-authenticate',
]);

/**
 * Remembers the head of a response; the function that comes back takes away what was said about an answer since then: its status,
 * its headers, its cookies. What holds for the whole site, like CORS, stays.
 */
export function rememberHead(response: ServerResponse): () => void {
  const { statusCode, statusMessage } = response;
  const before = response.getHeaders();
  return () => {
    response.statusCode = statusCode;
    response.statusMessage = statusMessage;
    for (const name of response.getHeaderNames()) {
      if (!isOfTheAnswer(name)) continue;
      const value = before[name];
      if (value === undefined) response.removeHeader(name);
      else response.setHeader(name, value);
    }
  };
}

function isOfTheAnswer(name: string): boolean {
  if (name.startsWith('content-')) return !name.startsWith('content-security-policy');
  return name === 'set-cookie' || OF_THE_ANSWER.has(name);
}
