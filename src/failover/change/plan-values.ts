/** What the steps of a plan keep and use: the only way in which a value gets into a statement. */
import { ErrorCode, StormlampError } from '../../common/stormlamp-error.js';

/** Positions, file names and numbers consist of these; anything else is not put into a statement. */
const PLAIN = /^[\w:,.\- /]*$/;

/** Values by name. */
export class PlanValues {
  readonly #values = new Map<string, string>();

  /** Begins with the given values, which may hold any character but those that SQL modes disagree about. */
  constructor(given: Readonly<Record<string, string>>) {
    for (const [name, value] of Object.entries(given)) this.set(name, value);
  }

  /** Keeps a text that is made here, and has no character that SQL modes disagree about. */
  set(name: string, value: string): void {
    this.#values.set(name, value.replaceAll("'", "''"));
  }

  /** Keeps the first columns of an answer under `names`, separated by blanks. */
  keep(names: string, columns: readonly unknown[]): void {
    names.split(' ').forEach((name, index) => {
      const value = String(columns[index] ?? '').replace(/\s/g, '');
      if (!PLAIN.test(value)) {
        throw new StormlampError(ErrorCode.PROTOCOL, `A server gave a ${name} that is none`);
      }
      this.#values.set(name, value);
    });
  }

  /** The value called `name`. */
  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** The statement with its values in it. */
  fill(sql: string): string {
    return sql.replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = this.#values.get(name);
      if (value !== undefined) return value;
      throw new StormlampError(ErrorCode.CHANGE_REFUSED, `Nothing is known as {${name}} in '${sql}'`);
    });
  }
}
