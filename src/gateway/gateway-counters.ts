/** What a gateway has done so far. */

/** Figures since the start. */
export interface GatewayCounters {
  /** Connections that were taken. */
  connections: number;
  /** Connections that were refused because there were too many. */
  refused: number;
  /** Connections that were closed because the client was at fault. */
  faults: number;
  /** Commands on items. */
  commands: number;
  /** Commands that the store could not do. */
  failures: number;
  /** Bytes received. */
  bytesRead: number;
  /** Bytes sent. */
  bytesWritten: number;
}

/** All zero. */
export function newCounters(): GatewayCounters {
  return { connections: 0, refused: 0, faults: 0, commands: 0, failures: 0, bytesRead: 0, bytesWritten: 0 };
}
