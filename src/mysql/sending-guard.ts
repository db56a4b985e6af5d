/**
 * Looks at what the driver is about to send, as it will be sent: the text with its values in it, the packet of an execution.
 * Values are looked at nowhere else, since only the driver's own walk through them goes as deep as the driver does.
 */
import { refuseHoles } from './charset-holes.js';
import type { ConnectionFactory } from './connection-factory.js';
import { refuseLongPacket, refuseLongText } from './packet-limit.js';
import type { PhysicalConnection } from './physical-connection.js';

/** What is used of mysql2's connection besides its documented face. */
interface Driver {
  format: (sql: string, values: unknown, named: boolean | undefined) => string;
  writePacket: (packet: OutgoingPacket) => void;
  readonly _command?: RunningCommand;
}

interface OutgoingPacket {
  readonly buffer: Uint8Array;
  length(): number;
}

interface RunningCommand extends NodeJS.EventEmitter {
  readonly start: unknown;
  readonly next: unknown;
  readonly onResult?: unknown;
}

const COM_STMT_EXECUTE = 0x17;
/** A packet begins with three bytes of length and one with its number. */
const COMMAND_AT = 4;

/**
 * Refuses a text that would be sent over `connection` as it is.
 *
 * @throws StormlampError `ERR_UNSUPPORTED` for characters that would become others; an Error 1153 for one that is too long.
 */
export function refuseText({ raw, node, maxPacket }: PhysicalConnection, text: string): void {
  refuseHoles(raw, node, text);
  refuseLongText(raw, node, maxPacket, text);
}

/** The same factory, whose connections send only what {@link refuseText} and the server let pass. */
export function withSendingGuard(factory: ConnectionFactory): ConnectionFactory {
  return {
    ...factory,
    connect: async (deadline) => {
      const connection = await factory.connect(deadline);
      guard(connection);
      return connection;
    },
  };
}

function guard(connection: PhysicalConnection): void {
  const driver = connection.raw as unknown as Driver;
  const { format, writePacket } = driver;
  if (typeof format !== 'function' || typeof writePacket !== 'function') return;
  // `query` calls it before it queues anything: what it throws, the caller gets, and the connection does not notice.
  driver.format = (sql, values, named): string => {
    const text = format.call(driver, sql, values, named);
    refuseText(connection, text);
    return text;
  };
  driver.writePacket = (packet): void => {
    const command = driver._command;
    // A command runs its `start` while that is what comes next; of all of them only an execution survives a throw there.
    if (
      packet.length() >= connection.maxPacket &&
      packet.buffer[COMMAND_AT] === COM_STMT_EXECUTE &&
      command !== undefined &&
      command.next === command.start
    ) {
      tellLater(command);
      refuseLongPacket(connection.node, connection.maxPacket, packet.length());
    }
    writePacket.call(driver, packet);
  };
}

/** A command that is streamed may fail before anybody can listen to it, and is told its end again then. */
function tellLater(command: RunningCommand): void {
  if (command.onResult !== undefined || command.listenerCount('error') > 0) return;
  command.once('error', (error: unknown) => {
    process.nextTick(() => {
      command.emit('error', error);
      command.emit('end');
    });
  });
}
