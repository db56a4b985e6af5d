/** Stands in where a request has no response: what asks for a WebSocket is answered by whoever takes the connection over. */
import type { ServerResponse } from 'node:http';

/** What a session needs of the response that it goes with. */
export type SessionResponse = Pick<ServerResponse, 'headersSent' | 'destroyed' | 'once'>;

/** A response that can tell the browser nothing any more, and never ends. */
export const NO_RESPONSE: SessionResponse = {
  headersSent: true,
  destroyed: false,
  once() {
    return this as ServerResponse;
  },
};

/** Whether something is a response, and not the empty object of `ws`'s examples or what engine.io hands to its middlewares. */
export function isResponse(given: unknown): given is ServerResponse {
  const { once, writeHead, getHeaders, end } = (given ?? {}) as Partial<ServerResponse>;
  return [once, writeHead, getHeaders, end].every((method) => typeof method === 'function');
}
