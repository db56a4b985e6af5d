/** A gateway in front of one memcached node: the protocols, and the copies of one. */
import type { SessionGatewayOptions } from '../../../src/gateway/gateway-options.js';
import type { SessionGateway } from '../../../src/gateway/session-gateway.js';
import { startSessionGateway } from '../../../src/gateway/start-session-gateway.js';
import { createSessionStore } from '../../../src/session/create-session-store.js';
import type { SessionOptions } from '../../../src/session/session-options.js';

/** A running gateway. */
export interface PlainGateway extends AsyncDisposable {
  readonly gateway: SessionGateway;
  readonly port: number;
  readonly faults: string[];
}

/** Starts a gateway before the memcached on `port`. */
export async function startPlainGateway(
  port: number,
  options: SessionGatewayOptions = {},
  sessions: Partial<SessionOptions> = {},
): Promise<PlainGateway> {
  const store = await createSessionStore({
    nodes: [`127.0.0.1:${port}`],
    keys: 'all',
    operationTimeoutMs: 5_000,
    ...sessions,
  });
  const gateway = await startSessionGateway(
    store,
    options.path === undefined ? { port: 0, ...options } : options,
  );
  const faults: string[] = [];
  gateway.on('client-fault', ({ reason }) => void faults.push(reason));
  return {
    gateway,
    port: gateway.port,
    faults,
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await store.close();
    },
  };
}
