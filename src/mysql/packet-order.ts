/**
 * Takes the numbers of mysql2's packets as the server counts them. A server that ends a connection in the middle of
 * something (a shutdown, a KILL, an idle timeout) numbers its last words its own way. mysql2 reads them all the same, but
 * first writes a warning to standard error, which belongs to the application.
 */
import type { Connection } from 'mysql2';

/** What is used of mysql2's connection besides its documented face. */
interface PacketReader {
  sequenceId: unknown;
  handlePacket: unknown;
}

/** Makes `raw` follow the server's numbers, which is what mysql2 does after its warning. */
export function followPacketOrder(raw: Connection): void {
  const reader = raw as unknown as PacketReader;
  const { handlePacket } = reader;
  if (typeof handlePacket !== 'function' || typeof reader.sequenceId !== 'number') return;
  reader.handlePacket = (packet?: { readonly sequenceId: number }): void => {
    if (packet !== undefined) reader.sequenceId = packet.sequenceId;
    handlePacket.call(raw, packet);
  };
}
