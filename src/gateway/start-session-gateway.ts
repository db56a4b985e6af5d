/** Starts a gateway: PHP's memcached clients on one side, a session store's replicated copies on the other. */
import { invalidOption } from '../common/option-reader.js';
import { isLockKey, itemKey, keptPlaceOf, sessionPlaceOf } from '../session/session-keys.js';
import { SessionStore } from '../session/session-store.js';
import { resolveGatewayOptions, type SessionGatewayOptions } from './gateway-options.js';
import { GatewayServer } from './gateway-server.js';
import { RemainingTimes } from './remaining-times.js';
import { ReplicatedItems } from './replicated-items.js';
import { SessionGateway } from './session-gateway.js';

/**
 * Listens for PHP's memcached clients (`session.save_handler` `memcached` or `memcache`, the class `Memcached`) and serves them
 * from the store's nodes, with the store's guarantees: any node may die, restart empty, hang or be cut off.
 *
 * The store stays the caller's: close the gateway first, then the store.
 *
 * @param store a store on memcached nodes, as `createSessionStore` and `cluster.sessions` give it
 * @throws StormlampError `ERR_INVALID_OPTION`, `ERR_PORT_IN_USE`.
 */
export async function startSessionGateway(
  store: SessionStore,
  options?: SessionGatewayOptions,
): Promise<SessionGateway> {
  if (!(store instanceof SessionStore)) {
    throw invalidOption(
      'store',
      'a session store on memcached nodes, as createSessionStore() makes it',
      store,
    );
  }
  const resolved = resolveGatewayOptions(options);
  const { handler, prefix, acks, tls, operationTimeoutMs } = store.options;
  const times = new RemainingTimes(
    (id) => {
      const address = store.nodes.addressOf(id);
      return address && { id, address, tls, timeoutMs: Math.max(1_000, operationTimeoutMs) };
    },
    (id) => store.copies.places.node(id)?.clockAheadMs ?? 0,
  );
  const items = new ReplicatedItems({
    copies: store.copies,
    itemOf: (key) => itemKey(store.options, key),
    // pecl-memcache counts in its locks, so theirs must stay numbers.
    isLock: (key) => handler === 'memcached' && isLockKey(store.options, key),
    isCountedLock: (key) => handler === 'memcache' && isLockKey(store.options, key),
    isSession: (key) => sessionPlaceOf(store.options, key) !== undefined,
    isGuarded: (key) => keptPlaceOf(store.options, key) !== undefined,
    acks,
    times,
    commandTimeoutMs: resolved.commandTimeoutMs,
    onMissed: (operation, { missed }) => {
      for (const { node, error } of missed) store.publish('copy-missed', { operation, node, error });
    },
  });
  const server = new GatewayServer(items, resolved, () => ({
    nodes: store.options.nodes.map(({ id }) => id),
    change: store.nodeChange?.step ?? 'none',
    handler,
    prefix,
    copies: store.options.copies,
    keys: store.options.keys,
  }));
  await server.listen();
  return new SessionGateway(server, () => times.close());
}
