/** Makes a response look like one that has ended, while its real end waits for something. */
import type { ServerResponse } from 'node:http';

type Callback = (error?: Error | null) => void;
type Member = (this: ServerResponse, ...args: unknown[]) => unknown;

/** How a response looks that has ended: made once, since every request that changes its session poses. */
const POSE: readonly (readonly [string, PropertyDescriptor])[] = Object.entries<PropertyDescriptor>({
  headersSent: { get: () => true },
  writableEnded: { get: () => true },
  writableFinished: { get: () => false },
  setHeader: { value: late('set') },
  setHeaders: { value: late('set') },
  appendHeader: { value: late('append') },
  removeHeader: { value: late('remove') },
  writeHead: { value: late('write') },
  flushHeaders: { value: () => undefined },
  addTrailers: { value: () => undefined },
  write: {
    value: function writeAfterEnd(...args) {
      refuse(this, args.find(isCallback));
      return false;
    } satisfies Member,
  },
  end: {
    value: function endAgain(...args) {
      const callback = args.find(isCallback);
      const [chunk] = args;
      if (chunk && !isCallback(chunk)) refuse(this, callback);
      else if (callback !== undefined) this.once('finish', callback);
      return this;
    } satisfies Member,
  },
}).map(([name, descriptor]) => [name, { ...descriptor, configurable: true, enumerable: true }]);

/**
 * Whoever looks at `response` or uses it finds it ended, as Node's own `end()` leaves it: what is written is
 * `ERR_STREAM_WRITE_AFTER_END`, headers can no longer be changed, and the status can be set and says nothing to anybody.
 *
 * @returns makes it itself again, with the headers and the status that it had
 */
export function poseAsEnded(response: ServerResponse): () => void {
  const { statusCode, statusMessage } = response;
  const before = POSE.map(([name, descriptor]) => {
    const own = Object.getOwnPropertyDescriptor(response, name);
    Object.defineProperty(response, name, descriptor);
    return own;
  });
  return () => {
    // Backwards: an object that loses what it got last stays one that the engine is fast with.
    for (let at = POSE.length - 1; at >= 0; at -= 1) {
      const name = POSE[at]?.[0] ?? '';
      const own = before[at];
      if (own === undefined) Reflect.deleteProperty(response, name);
      else Object.defineProperty(response, name, own);
    }
    response.statusCode = statusCode;
    response.statusMessage = statusMessage;
  };
}

function isCallback(value: unknown): value is Callback {
  return typeof value === 'function';
}

function refuse(response: ServerResponse, callback: Callback | undefined): void {
  const error = Object.assign(new Error('write after end'), { code: 'ERR_STREAM_WRITE_AFTER_END' });
  process.nextTick(() => {
    callback?.(error);
    if (!response.destroyed) response.emit('error', error);
  });
}

function late(what: string): () => never {
  return () => {
    throw Object.assign(new Error(`Cannot ${what} headers after they are sent to the client`), {
      code: 'ERR_HTTP_HEADERS_SENT',
    });
  };
}
