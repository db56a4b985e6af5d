/** `stormlamp/gateway`: lets PHP's own memcached clients use the replicated store. */
export type { SessionGatewayOptions } from './gateway-options.js';
export type { SessionGatewayEvents } from './gateway-server.js';
export { SessionGateway } from './session-gateway.js';
export { startSessionGateway } from './start-session-gateway.js';
