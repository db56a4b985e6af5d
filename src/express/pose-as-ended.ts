/** Makes a response look like one that has ended, while its real end waits for something. */
import type { ServerResponse } from 'node:http';

type Callback = (error?: Error | null) => void;

/**
 * Whoever looks at `response` or uses it finds it ended, as Node's own `end()` leaves it: what is written is
 * `ERR_STREAM_WRITE_AFTER_END`, headers and status can no longer be changed.
 *
 * @returns makes it itself again, with the headers and the status that it had
 */
export function poseAsEnded(response: ServerResponse): () => void {
  let { statusCode, statusMessage } = response;
  const late = (what: string) => () => {
    throw headersSent(what);
  };
  const pose: PropertyDescriptorMap = {
    headersSent: { get: () => true },
    writableEnded: { get: () => true },
    writableFinished: { get: () => false },
    // As after a real end: they can be set, and say nothing to anybody.
    statusCode: {
      get: () => statusCode,
      set: (code: number) => {
        statusCode = code;
      },
    },
    statusMessage: {
      get: () => statusMessage,
      set: (message: string) => {
        statusMessage = message;
      },
    },
    setHeader: { value: late('set') },
    setHeaders: { value: late('set') },
    appendHeader: { value: late('append') },
    removeHeader: { value: late('remove') },
    writeHead: { value: late('write') },
    flushHeaders: { value: () => undefined },
    addTrailers: { value: () => undefined },
    write: {
      value: (...args: unknown[]) => {
        refuse(response, args.find(isCallback));
        return false;
      },
    },
    end: {
      value: (...args: unknown[]) => {
        const callback = args.find(isCallback);
        const [chunk] = args;
        if (chunk && !isCallback(chunk)) refuse(response, callback);
        else if (callback !== undefined) response.once('finish', callback);
        return response;
      },
    },
  };
  const before = Object.getOwnPropertyDescriptors(response) as PropertyDescriptorMap;
  for (const [name, descriptor] of Object.entries(pose))
    Object.defineProperty(response, name, { ...descriptor, configurable: true, enumerable: true });
  return () => {
    for (const name of Object.keys(pose)) {
      Reflect.deleteProperty(response, name);
      const own = before[name];
      if (own !== undefined) Object.defineProperty(response, name, own);
    }
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

function headersSent(what: string): Error {
  return Object.assign(new Error(`Cannot ${what} headers after they are sent to the client`), {
    code: 'ERR_HTTP_HEADERS_SENT',
  });
}
