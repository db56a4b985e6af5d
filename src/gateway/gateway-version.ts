/** How a gateway calls itself, and how it is told from a memcached by that. */

/** memcached's way to name itself; clients read the numbers. */
export const GATEWAY_VERSION = '1.6.0-stormlamp';

/** Whether a server that says this version is a gateway of this package, of any release. */
export function isGatewayVersion(version: string): boolean {
  return version.endsWith('-stormlamp');
}
