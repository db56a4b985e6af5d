/** Where one process tells the others what it saw, so that the cost of looking does not grow with their number. */

/** A place that all processes of a site can read; the room that knows the store implements it. Every call may reject. */
export interface ObservationBoard {
  /** Asks to be, or to go on being, the one that looks; whether this process is it. The right ends by itself in seconds. */
  lead(): Promise<boolean>;
  /** Replaces what is there. */
  publish(text: string): Promise<void>;
  /** What is there; undefined when there is nothing. It comes from outside. */
  read(): Promise<string | undefined>;
  /** Gives the right up, and closes. */
  close(): Promise<void>;
}
