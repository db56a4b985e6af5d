/** The credentials that a user's function gives before every new connection to a node. */
import type { Deadline } from '../common/deadline.js';
import { describeError, ErrorCode, isStormlampError, StormlampError } from '../common/stormlamp-error.js';
import type { MysqlNodeConfig } from './connection-options.js';
import type { MysqlCredentials } from './connection-settings.js';

/** Asks the function of one node. */
export class CurrentCredentials {
  readonly #config: MysqlNodeConfig;
  #asking = 0;

  /** Takes a node, with or without such a function. */
  constructor(config: MysqlNodeConfig) {
    this.#config = config;
  }

  /** How the function is called, while somebody waits for it; undefined otherwise. */
  get waitingFor(): string | undefined {
    return this.#asking > 0 ? `the function ${this.#name}` : undefined;
  }

  /**
   * What it gives now; undefined when there is no function.
   *
   * Rejects with `ERR_ACCESS_DENIED` when that is nothing to log in with, or with `ERR_ABORTED`.
   */
  async ask(deadline: Deadline): Promise<MysqlCredentials | undefined> {
    const { credentials, seed } = this.#config;
    if (credentials === undefined) return undefined;
    this.#asking += 1;
    try {
      const work = Promise.resolve(credentials());
      return checked(await deadline.race(`Asking for the credentials of ${seed.id}`, work));
    } catch (error) {
      if (isStormlampError(error, ErrorCode.ABORTED)) throw error;
      throw new StormlampError(
        ErrorCode.ACCESS_DENIED,
        `The function ${this.#name} gave nothing to log in to node ${seed.id} with: ${describeError(error)}; mend the function, or what it asks for the account`,
        { cause: error, node: seed.id },
      );
    } finally {
      this.#asking -= 1;
    }
  }

  get #name(): string {
    return `\`${this.#config.accountOption ?? 'credentials'}\``;
  }
}

/** Without a name, the server would take the anonymous account, where there is one. The message shows no password. */
function checked(given: unknown): MysqlCredentials {
  const expected = 'it must give { user, password }, both strings';
  if (typeof given !== 'object' || given === null) {
    throw new TypeError(
      `${expected}, and gave ${given === null ? 'null' : `a value of type ${typeof given}`}`,
    );
  }
  const { user, password } = given as Readonly<Record<string, unknown>>;
  if (typeof user !== 'string' || user === '') {
    throw new TypeError(
      `${expected}, and gave ${user === '' ? 'an empty `user`' : `a \`user\` of type ${typeof user}`}`,
    );
  }
  if (typeof password !== 'string') {
    throw new TypeError(`${expected}, and gave a \`password\` of type ${typeof password}`);
  }
  return { user, password };
}
