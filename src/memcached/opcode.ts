/** Commands of memcached's binary protocol, as far as this package sends them. */

/** The number of each command on the wire. */
export const Opcode = {
  GET: 0x00,
  SET: 0x01,
  ADD: 0x02,
  REPLACE: 0x03,
  DELETE: 0x04,
  INCREMENT: 0x05,
  /** A get whose miss is not answered. */
  GET_QUIET: 0x09,
  VERSION: 0x0b,
  STAT: 0x10,
  TOUCH: 0x1c,
  GET_AND_TOUCH: 0x1d,
} as const;

/** One of the numbers of {@link Opcode}. */
export type Opcode = (typeof Opcode)[keyof typeof Opcode];
